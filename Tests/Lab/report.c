/* report.c: one line for each check. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

static int failed;

int failures(void) { return failed; }

static void line(const char *verdict, const char *name, const char *format, va_list arguments) {
    printf("%s%s", verdict, name);
    if (format[0] != 0) {
        printf(": ");
        vprintf(format, arguments);
    }
    printf("\n");
    fflush(stdout);
}

bool check(const char *name, bool holds, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line(holds ? "ok    " : "FAIL  ", name, holds ? "" : format, arguments);
    va_end(arguments);
    if (!holds)
        failed++;
    return holds;
}

void note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("--    ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void need(const char *name, bool holds, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line(holds ? "ok    " : "FAIL  ", name, holds ? "" : format, arguments);
    va_end(arguments);
    if (holds)
        return;
    printf("--    nothing after this can be checked\n");
    exit(EXIT_FAILURE);
}

void report_and_wait(const char *said) {
    printf("%s\n", said);
    fflush(stdout);
    getchar();
}
