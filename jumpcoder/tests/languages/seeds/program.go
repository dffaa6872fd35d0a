package main

import (
	"errors"
	"fmt"
	"strings"
)

// Shelf holds titles.
type Shelf struct {
	titles map[string]int
	limit  int
}

var errFull = errors.New("full")

func newShelf(limit int) *Shelf {
	return &Shelf{titles: make(map[string]int), limit: limit}
}

func (s *Shelf) Add(title string) error {
	if len(s.titles) >= s.limit {
		return errFull
	}
	s.titles[strings.ToLower(title)]++
	return nil
}

func longest[T ~string](all ...T) (best T) {
	for i, one := range all {
		if i == 0 || len(one) > len(best) {
			best = one
		}
	}
	return
}

func main() {
	shelf := newShelf(3)
	defer func() { fmt.Println(`done`, 'x') }()
	switch err := shelf.Add("Orlando"); {
	case err != nil:
		panic(err)
	default:
		fmt.Printf("%d %s\n", len(shelf.titles), longest("a", "bc"))
	}
	words := make(chan string, 1)
	go func(w chan<- string) { w <- "one" }(words)
	select {
	case word := <-words:
		fmt.Println(word)
	}
}
