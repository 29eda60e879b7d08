/*
 * A terminal that a program draws on. As in clinux.h every function returns a value that is not negative, or -errno.
 */
#ifndef CLINUX_TERMINAL_H
#define CLINUX_TERMINAL_H

#include <stdint.h>
#include <termios.h>

/* Lines and columns; 0 where the terminal does not know. -ENOTTY for what is no terminal. */
int clinux_terminal_size(int fd, uint16_t *rows, uint16_t *columns);
/* From then on keys come one by one, are not shown and raise no signals; `saved` receives what was before. */
int clinux_terminal_take_keys(int fd, struct termios *saved);
int clinux_terminal_restore(int fd, const struct termios *saved);
/* The byte of a key, of which one has been typed; -EAGAIN when there is none after all, -EPIPE at the end. */
int clinux_terminal_key(int fd);

#endif
