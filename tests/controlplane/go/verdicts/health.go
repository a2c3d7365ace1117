package main

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Health is what both tools make of one object.
type Health struct {
	Kstatus Verdict `json:"kstatus"`
	ArgoCD  Verdict `json:"argocd"`
}

func healthOf(script string) func([]byte) (any, error) {
	return func(line []byte) (any, error) {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(line); err != nil {
			return nil, err
		}
		result, err := status.Compute(object)
		if err != nil {
			return nil, err
		}
		return Health{
			Kstatus: Verdict{Status: result.Status.String(), Message: result.Message},
			ArgoCD:  argoHealth(object, script),
		}, nil
	}
}
