/* Calls a function of a shared library: arguments are the library and the function's name; it is handed the descriptor
 * that joins the two processes. Where standard input begins with a token (that of the tests), the token is handed back
 * once the function has returned. See the docstring of the package `native`. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOKEN_BYTES = 32, CANNOT_LOAD = 97 };

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    char token[TOKEN_BYTES];
    ssize_t have = 0, got;
    while (have < TOKEN_BYTES && (got = read(0, token + have, TOKEN_BYTES - have)) > 0) have += got;
    void *library = count > 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    int (*function)(int) = library ? (int (*)(int))dlsym(library, arguments[2]) : NULL;
    if (!function) {
        fprintf(stderr, "cannot load it: %s\n", dlerror());
        return CANNOT_LOAD;
    }
    const char *number = getenv("HARNESS_DESCRIPTOR");
    int status = function(number ? atoi(number) : -1);
    if (status) return status;
    return have < TOKEN_BYTES || write(0, token, TOKEN_BYTES) == TOKEN_BYTES ? 0 : 1;
}
