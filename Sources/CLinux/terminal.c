#define _GNU_SOURCE
#include "clinux_terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

int clinux_terminal_size(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return -errno;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}

int clinux_terminal_take_keys(int fd, struct termios *saved) {
    if (tcgetattr(fd, saved) < 0)
        return -errno;
    struct termios changed = *saved;
    changed.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    changed.c_cc[VMIN] = 1;
    changed.c_cc[VTIME] = 0;
    return tcsetattr(fd, TCSADRAIN, &changed) < 0 ? -errno : 0;
}

int clinux_terminal_restore(int fd, const struct termios *saved) {
    return tcsetattr(fd, TCSADRAIN, saved) < 0 ? -errno : 0;
}

int clinux_terminal_key(int fd) {
    unsigned char key;
    ssize_t count = read(fd, &key, 1);
    if (count < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    return count == 0 ? -EPIPE : key;
}
