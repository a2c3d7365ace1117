// Verdicts says what GitOps tools make of objects and manifests, by their own rules.
//
//	verdicts health health.lua   reads objects, a line of JSON each, and prints a line of JSON for each:
//	                             kstatus's verdict, as Flux has it, and Argo CD's, by this health check
//	verdicts flux                reads manifests of Flux's kinds, a line of JSON each, and prints a line for
//	                             each: what Flux's own Go types do not know of it; empty if all is well
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Verdict is a word and a sentence.
type Verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// An object is larger than a line of text usually is: etcd takes up to 1.5 MiB.
const longestLine = 4 << 20

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	judge, err := judgeOf(arguments)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	answers := json.NewEncoder(out)
	for lines.Scan() {
		answer, err := judge(lines.Bytes())
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// judgeOf returns what is asked for: a function from a line to its answer.
func judgeOf(arguments []string) (func([]byte) (any, error), error) {
	switch {
	case len(arguments) == 2 && arguments[0] == "health":
		script, err := os.ReadFile(arguments[1])
		if err != nil {
			return nil, err
		}
		return healthOf(string(script)), nil
	case len(arguments) == 1 && arguments[0] == "flux":
		return fluxProblem, nil
	default:
		return nil, errors.New("say either: health SCRIPT, or: flux")
	}
}
