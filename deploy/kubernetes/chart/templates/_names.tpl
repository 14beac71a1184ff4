{{/* The release's name where it says what this is, else with the chart's behind it. */}}
{{- define "shazam.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "shazam.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shazam.made" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "shazam.labels" -}}
{{ include "shazam.selector" . }}
{{ include "shazam.made" . }}
{{- end }}

{{/* Workers are no endpoint of the service: other labels than `shazam.selector`. */}}
{{- define "shazam.worker.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-work
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shazam.worker.labels" -}}
{{ include "shazam.worker.selector" . }}
{{ include "shazam.made" . }}
{{- end }}

{{- define "shazam.image" -}}
{{- with .Values.image }}
{{- if not .repository }}{{ fail "image.repository: which image? For instance --set image.repository=ghcr.io/you/shazam-visual" }}{{ end }}
{{- if and $.Values.gpu.enabled (not .tag) (not .digest) }}{{ fail "image.tag: the GPU image has a tag of its own. For instance --set image.tag=1.0.0-gpu" }}{{ end }}
{{- .repository }}{{ if or .tag (not .digest) }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* What names the artifact of this kind. */}}
{{- define "shazam.variable" -}}
{{ ternary "SHAZAM_ARTIFACT" "SHAZAM_SOUND_ARTIFACT" (eq .Values.kind "cover") }}
{{- end }}

{{/* The Secret with the keys, or nothing. */}}
{{- define "shazam.keys" -}}
{{- with .Values.apiKeys }}
{{- if and .existingSecret .values }}{{ fail "apiKeys: existingSecret and values are both set; one of them has the keys" }}{{ end }}
{{- if .existingSecret }}{{ .existingSecret }}{{ else if .values }}{{ include "shazam.name" $ }}-keys{{ end }}
{{- end }}
{{- end }}

{{- define "shazam.resources" -}}
{{- if .Values.resources -}}
{{ toYaml .Values.resources }}
{{- else if .Values.gpu.enabled -}}
# Four cores decode pictures for one GPU; CUDA's context and torch take about 3 GiB.
requests: {cpu: "4", memory: 8Gi, {{ .Values.gpu.resource }}: {{ .Values.gpu.count | quote }}}
limits: {cpu: "4", memory: 8Gi, {{ .Values.gpu.resource }}: {{ .Values.gpu.count | quote }}}
{{- else -}}
# Two cores are recommended, one works at half the rate. Requests equal limits: a start is CPU-bound,
# and a pod that is throttled then is a visitor who waits.
requests: {cpu: "2", memory: 1Gi}
limits: {cpu: "2", memory: 1Gi}
{{- end }}
{{- end }}

{{/* Where the library's rows and files are: of its service and of its workers alike. */}}
{{- define "shazam.library" -}}
{{- with .Values.library }}
{{- if not .existingSecret }}{{ fail "library.existingSecret: which Secret has SHAZAM_DATABASE, and the storage's keys? For instance --set library.existingSecret=shazam-library" }}{{ end }}
{{- if not .storage }}{{ fail "library.storage: where do files go? Pods share no folder. For instance --set library.storage=s3://my-bucket/library" }}{{ end }}
{{- if and (eq .mode "private") (not (include "shazam.keys" $)) }}{{ fail "library.mode: private is private to a key, and apiKeys has none" }}{{ end -}}
- {name: SHAZAM_LIBRARY, value: {{ .mode }}}
- {name: SHAZAM_STORAGE, value: {{ .storage | quote }}}
{{- end }}
{{- end }}

{{/* SHAZAM_* of `settings`; toJson, as a number of a file is a float, which toString would write as
1.048576e+07. */}}
{{- define "shazam.settings" -}}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}}
{{- end }}
{{- end }}

{{- define "shazam.tmp" -}}
{{- if and .Values.artifact.url (not .Values.tmp.sizeLimit) }}{{ fail "tmp.sizeLimit: artifact.url is fetched to /tmp, which must have twice the artifact's size. For instance --set tmp.sizeLimit=4Gi" }}{{ end }}
{{- $library := eq .Values.kind "library" }}
{{- if and .Values.tmp.medium (not .Values.artifact.url) (not $library) }}medium: {{ .Values.tmp.medium }}{{ "\n" }}{{ end -}}
sizeLimit: {{ .Values.tmp.sizeLimit | default (ternary "8Gi" (ternary "1Gi" "256Mi" .Values.gpu.enabled) $library) }}
{{- end }}
