/// A Swift client of the broker. To be filled in.
package enum BrokerClient {}
