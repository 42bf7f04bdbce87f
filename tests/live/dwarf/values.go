// values.go - methods, strings, slices, results, variables of a package; it prints what it passes.
package main

import "fmt"

type Point struct{ X, Y int }

var Counter = 41

//go:noinline
func (p *Point) Move(dx int, name string, list []int) int {
	p.X += dx
	sum := p.X + len(list)
	for _, v := range list {
		sum += v
	}
	fmt.Println("moved", p.X, p.Y, name, len(list), sum) // line 17
	return sum
}

//go:noinline
func add(a, b int, list []int) (int, error) {
	return a + b + list[0], nil
}

func main() {
	p := &Point{1, 2}
	for i := 0; i < 3; i++ {
		p.Move(i, fmt.Sprintf("n%d", i), []int{i, 2, 3})
		r, _ := add(i, 10, []int{5})
		Counter += r
	}
	fmt.Println("counter", Counter)
}
