{{- /* The common part of ServiceMonitor and PodMonitor. Arguments: (list context kind values endpoints). */ -}}
{{- define "esm-operator.monitor" -}}
{{- $context := index . 0 }}
{{- $values := index . 2 }}
apiVersion: monitoring.coreos.com/v1
kind: {{ index . 1 }}
metadata:
  name: {{ include "esm-operator.fullname" $context }}
  namespace: {{ default (include "esm-operator.namespace" $context) $values.namespace }}
  labels:
    {{- include "esm-operator.labels" (list $context $values.labels) | nindent 4 }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  namespaceSelector:
    matchNames:
      - {{ include "esm-operator.namespace" $context }}
  selector:
    matchLabels:
      {{- include "esm-operator.selectorLabels" $context | nindent 6 }}
  {{ index . 3 }}:
    - port: http
      path: /metrics
      interval: {{ $values.interval }}
      scrapeTimeout: {{ $values.scrapeTimeout }}
      honorLabels: {{ $values.honorLabels }}
      {{- with $values.relabelings }}
      relabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.metricRelabelings }}
      metricRelabelings:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
