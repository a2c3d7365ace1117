package main

import (
	"encoding/json"
	"errors"
	"fmt"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	kubernetes "sigs.k8s.io/json"
)

// Problem is what is wrong with a manifest; empty if nothing is.
type Problem struct {
	Problem string `json:"problem"`
}

// Flux's kinds, by apiVersion and kind.
var fluxKinds = map[[2]string]func() any{
	{source.GroupVersion.String(), source.GitRepositoryKind}:       func() any { return &source.GitRepository{} },
	{source.GroupVersion.String(), source.OCIRepositoryKind}:       func() any { return &source.OCIRepository{} },
	{source.GroupVersion.String(), source.HelmRepositoryKind}:      func() any { return &source.HelmRepository{} },
	{helm.GroupVersion.String(), helm.HelmReleaseKind}:             func() any { return &helm.HelmRelease{} },
	{kustomize.GroupVersion.String(), kustomize.KustomizationKind}: func() any { return &kustomize.Kustomization{} },
}

func fluxProblem(line []byte) (any, error) {
	named := struct{ APIVersion, Kind string }{}
	if err := json.Unmarshal(line, &named); err != nil {
		return nil, err
	}
	made, ok := fluxKinds[[2]string{named.APIVersion, named.Kind}]
	if !ok {
		return Problem{fmt.Sprintf("%s %s is no kind of Flux's", named.APIVersion, named.Kind)}, nil
	}
	unknown, err := kubernetes.UnmarshalStrict(line, made())
	if err := errors.Join(append(unknown, err)...); err != nil {
		return Problem{err.Error()}, nil
	}
	return Problem{}, nil
}
