// Writes the tables of this folder: what the Go that runs it has. The committed ones are of Go 1.19.
//
//	go run Tables.go universe > universe.txt
//	go run Tables.go packages > packages.txt
package main

import (
	"fmt"
	"go/importer"
	"go/types"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run Tables.go universe|packages")
	}
	fmt.Printf("# Go %s, by Tables.go\n", strings.TrimPrefix(runtime.Version(), "go"))
	switch os.Args[1] {
	case "universe":
		fmt.Println(strings.Join(types.Universe.Names(), "\n"))
	case "packages":
		packages()
	default:
		log.Fatalf("no table is called %s", os.Args[1])
	}
}

// packages prints what each public package of the standard library exports.
func packages() {
	listed, err := exec.Command("go", "list", "std").Output()
	if err != nil {
		log.Fatal(err)
	}
	load := importer.Default()
	for _, path := range strings.Fields(string(listed)) {
		if !isPublic(path) {
			continue
		}
		found, err := load.Import(path)
		if err != nil {
			log.Fatal(err)
		}
		words := []string{path}
		for _, name := range found.Scope().Names() {
			if found.Scope().Lookup(name).Exported() {
				words = append(words, name)
			}
		}
		fmt.Println(strings.Join(words, " "))
	}
}

// isPublic tells whether programs import a package. The names of syscall differ between systems.
func isPublic(path string) bool {
	for _, part := range strings.Split(path, "/") {
		if part == "internal" || part == "vendor" || part == "syscall" {
			return false
		}
	}
	return true
}
