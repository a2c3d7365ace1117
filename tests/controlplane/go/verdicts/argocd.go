package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What Argo CD takes for a health, and how long it lets a script run.
var healths = []string{"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"}

const patience = time.Second

// argoHealth is what Argo CD shows: an object that is being deleted is not given to the script.
func argoHealth(object *unstructured.Unstructured, script string) Verdict {
	if object.GetDeletionTimestamp() != nil {
		return Verdict{Status: "Progressing", Message: "Pending deletion"}
	}
	verdict, err := runScript(object, script)
	if err != nil {
		return Verdict{Status: "Unknown", Message: err.Error()}
	}
	return verdict
}

// runScript gives the script what Argo CD gives it: the global `obj`, and of the libraries only the basic one,
// that of packages and that of tables. (Argo CD adds os.time and os.date.)
func runScript(object *unstructured.Unstructured, script string) (Verdict, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return Verdict{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return Verdict{}, err
	}
	return verdictOf(state.Get(-1))
}

func verdictOf(returned lua.LValue) (Verdict, error) {
	table, ok := returned.(*lua.LTable)
	if !ok {
		return Verdict{}, fmt.Errorf("the script returned a %s, not a table", returned.Type())
	}
	verdict := Verdict{}
	for member, place := range map[string]*string{"status": &verdict.Status, "message": &verdict.Message} {
		switch value := table.RawGetString(member).(type) {
		case lua.LString:
			*place = string(value)
		case *lua.LNilType:
		default:
			return Verdict{}, fmt.Errorf("the script's %s is a %s, not a string", member, value.Type())
		}
	}
	if !slices.Contains(healths, verdict.Status) {
		return Verdict{}, fmt.Errorf("the script's status is %q, which is no health", verdict.Status)
	}
	return verdict, nil
}

// toLua gives a value of JSON its place in Lua; null is nil.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
