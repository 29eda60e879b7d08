/* What the daemon uses of libsystemd. */
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
