/// To be filled in.
package enum ModelBackendPlaceholder {}
