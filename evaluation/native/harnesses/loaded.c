/* Runs the tests in a shared library of a program and its tests: argument 1. See the package's docstring. */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

enum { TOKEN_BYTES = 32, CANNOT_LOAD = 97 };

int main(int count, char **arguments) {
    char token[TOKEN_BYTES];
    for (ssize_t have = 0, got; have < TOKEN_BYTES; have += got)
        if ((got = read(0, token + have, TOKEN_BYTES - have)) <= 0) return CANNOT_LOAD;
    void *program = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    void (*run_tests)(void) = program ? (void (*)(void))dlsym(program, "run_all_the_tests") : NULL;
    if (!run_tests) {
        fprintf(stderr, "cannot load the program: %s\n", dlerror());
        return CANNOT_LOAD;
    }
    run_tests();
    return write(0, token, TOKEN_BYTES) == TOKEN_BYTES ? 0 : 1;
}
