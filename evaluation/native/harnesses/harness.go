// Package harness is initialized before the program it is linked with, and keeps the token of a run until the tests
// have passed. See the docstring of the package that holds this file.
package harness

import "syscall"

var token [32]byte

func init() {
	for have := 0; have < len(token); {
		got, err := syscall.Read(0, token[have:])
		if got <= 0 || err != nil {
			syscall.Exit(97)
		}
		have += got
	}
}

// Answer hands the token back.
func Answer() {
	syscall.Write(0, token[:])
}
