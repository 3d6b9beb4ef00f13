// Writes src/kftune/katib/go/job_fields.json: the fields of a batch/v1 Job and of all structs below it.
//
// Run it in a folder of its own, because it needs a go.mod:
//
//	mkdir /tmp/fields && cp tools/job_fields.go /tmp/fields && cd /tmp/fields
//	go mod init fields && go get k8s.io/api@v0.34.0 && go mod tidy
//	go run . > job_fields.json
//
// The notation is that of kftune.katib.go.types. A mark before a type says what Go's encoder does with a zero value:
// "*" is a pointer (an explicit zero value is written), "!" is always written, none is left out.
package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	batch "k8s.io/api/batch/v1"
)

// Types whose JSON differs from their Go fields.
var special = map[string]string{"Quantity": "q", "IntOrString": "x", "Time": "t", "MicroTime": "t", "FieldsV1": "o"}

var scalars = map[reflect.Kind]string{reflect.String: "s", reflect.Bool: "b", reflect.Int32: "i", reflect.Int64: "I"}

type table map[string]map[string]string

func main() {
	structs := table{}
	structs.kind(reflect.TypeFor[batch.Job]())
	lines := []string{}
	for name, fields := range structs {
		text, _ := json.Marshal(fields)
		lines = append(lines, fmt.Sprintf("%q:%s", name, text))
	}
	slices.Sort(lines)
	fmt.Printf("{\n%s\n}\n", strings.Join(lines, ",\n"))
}

func (structs table) kind(given reflect.Type) string {
	name := given.Name()
	if found, known := special[name]; known {
		return found
	}
	switch given.Kind() {
	case reflect.Slice:
		return "[" + structs.kind(given.Elem())
	case reflect.Map:
		return "{" + structs.kind(given.Elem())
	case reflect.Struct:
		if _, known := structs[name]; !known {
			structs[name] = map[string]string{}
			structs.add(given, structs[name])
		}
		return "=" + name
	}
	return scalars[given.Kind()]
}

func (structs table) add(given reflect.Type, fields map[string]string) {
	for field := range given.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "": // an embedded struct: its fields belong to this one
			structs.add(field.Type, fields)
		case field.Type.Kind() == reflect.Pointer:
			fields[name] = "*" + structs.kind(field.Type.Elem())
		case !strings.Contains(options, "omitempty") || field.Type.Kind() == reflect.Struct:
			fields[name] = "!" + structs.kind(field.Type)
		default:
			fields[name] = structs.kind(field.Type)
		}
	}
}
