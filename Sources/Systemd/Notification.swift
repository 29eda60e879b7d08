/// libsystemd as the daemon uses it. To be filled in.
package enum SystemdNotification {}
