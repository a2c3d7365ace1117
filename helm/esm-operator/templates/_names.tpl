{{- define "esm-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "esm-operator.fullname" -}}
{{- $name := include "esm-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "esm-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "esm-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "esm-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels of all objects. (list . labels...) adds labels. They never overwrite the labels of the selector. */ -}}
{{- define "esm-operator.labels" -}}
{{- $context := first . }}
{{- $labels := include "esm-operator.selectorLabels" $context | fromYaml }}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $context.Release.Service }}
{{- $_ := set $labels "app.kubernetes.io/version" ($context.Chart.AppVersion | replace "+" "_") }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- range rest . }}
{{- $labels = merge $labels (deepCopy (default dict .)) }}
{{- end }}
{{- merge $labels (default dict $context.Values.commonLabels) | toYaml }}
{{- end }}

{{- define "esm-operator.serviceAccountName" -}}
{{- default (ternary (include "esm-operator.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "esm-operator.leaseName" -}}
{{- default (include "esm-operator.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{- define "esm-operator.leaseNamespace" -}}
{{- default (include "esm-operator.namespace" .) .Values.leaderElection.leaseNamespace }}
{{- end }}

{{- define "esm-operator.image" -}}
{{- if not .Values.image.repository }}
{{- fail "\n\nimage.repository is needed: the registry and name of the image, such as --set image.repository=registry.example.com/esm-operator. The project does not publish an image. docs/tutorial/getting-started.md explains how to build it.\n" }}
{{- end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* The name of the Secret with the certificate of the metrics. Empty: no TLS. */ -}}
{{- define "esm-operator.metricsSecret" -}}
{{- (default dict .Values.metrics.tls).secretName }}
{{- end }}
