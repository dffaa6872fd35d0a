// Says which names go/types calls undefined, for many programs in one process.
//
// On standard input, each program is its number of bytes (four of them, the highest first) and its
// text. Answered are lines of a line's number and a name, or nothing in place of the name if the
// line can't be parsed; a line with a dot ends a program.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"log"
	"os"
	"strings"
)

func main() {
	input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer output.Flush()
	load := importer.Default()
	for {
		var numBytes uint32
		if binary.Read(input, binary.BigEndian, &numBytes) != nil {
			return
		}
		text := make([]byte, numBytes)
		if _, err := io.ReadFull(input, text); err != nil {
			log.Fatal(err)
		}
		answer(text, load, output)
		fmt.Fprintln(output, ".")
	}
}

func answer(text []byte, load types.Importer, output io.Writer) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "program.go", text, parser.AllErrors)
	if errors, ok := err.(scanner.ErrorList); ok {
		for _, unparsed := range errors {
			fmt.Fprintf(output, "%d \n", unparsed.Pos.Line)
		}
	}
	check := types.Config{
		Importer:    load,
		FakeImportC: true,
		Error: func(err error) {
			if found, ok := err.(types.Error); ok {
				if name := undefined(found.Msg); name != "" {
					fmt.Fprintf(output, "%d %s\n", files.PositionFor(found.Pos, false).Line, name)
				}
			}
		},
	}
	// The first error is returned, too; all have been told by then.
	_, _ = check.Check("main", files, []*ast.File{file}, nil)
}

// undefined returns the simple name that an error calls undefined, if it does.
func undefined(message string) string {
	for _, start := range []string{"undeclared name: ", "undefined: "} {
		if name := strings.TrimPrefix(message, start); name != message && token.IsIdentifier(name) {
			return name
		}
	}
	return ""
}
