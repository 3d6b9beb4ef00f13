// Command pgrep prints the children of a process: `pgrep -P PID`. Katib's collector runs it to stop a trial early.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-P" {
		fmt.Fprintln(os.Stderr, "usage: pgrep -P PID")
		os.Exit(2)
	}
	places, _ := filepath.Glob("/proc/[0-9]*/stat")
	found := false
	for _, place := range places {
		data, err := os.ReadFile(place)
		if err != nil {
			continue // it has ended
		}
		// The name is in brackets and may hold anything; the state and the parent follow it.
		text := string(data)
		fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
		if len(fields) > 1 && fields[1] == os.Args[2] {
			fmt.Println(filepath.Base(filepath.Dir(place)))
			found = true
		}
	}
	if !found {
		os.Exit(1)
	}
}
