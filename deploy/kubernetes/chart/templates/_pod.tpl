{{/* What the pods of a service and of its workers have alike. */}}

{{/* Who they are, and what they may. */}}
{{- define "shazam.account" -}}
automountServiceAccountToken: false
# Service links would add SHAZAM_VISUAL_* variables that look like settings.
enableServiceLinks: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and .Values.gpu.enabled .Values.gpu.runtimeClassName }}
runtimeClassName: {{ .Values.gpu.runtimeClassName }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1034
  runAsGroup: 1034
  fsGroup: 1034
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What a container reads from its environment. */}}
{{- define "shazam.environment" -}}
env:
  {{- with include "shazam.settings" . }}{{ . | nindent 2 }}{{ end }}
  {{- if eq .Values.kind "library" }}{{ include "shazam.library" . | nindent 2 }}{{ end }}
  {{- if .Values.gpu.enabled }}
  # Named, not `auto`: without a working GPU the pod stops instead of serving slowly.
  - {name: SHAZAM_RUNTIME, value: torch-cuda}
  {{- end }}
  {{- if .Values.artifact.url }}
  - {name: {{ include "shazam.variable" . }}, value: {{ .Values.artifact.url | quote }}}
  {{- else if .Values.artifact.existingClaim }}
  - {name: {{ include "shazam.variable" . }}, value: {{ printf "/artifact/%s" .Values.artifact.path | trimSuffix "/" | quote }}}
  {{- end }}
  {{- with include "shazam.keys" . }}
  - name: SHAZAM_API_KEYS
    valueFrom:
      secretKeyRef: {name: {{ . }}, key: {{ $.Values.apiKeys.key }}}
  {{- end }}
  - {name: BENTOML_DO_NOT_TRACK, value: "True"}
  - {name: HF_HUB_OFFLINE, value: {{ ternary "0" "1" (hasPrefix "hf://" .Values.artifact.url) | quote }}}
  # BentoML writes below its home at start and stops where it cannot. Not an emptyDir on
  # /home/bentoml: that would hide the bento, which lies in /home/bentoml/bento.
  - {name: BENTOML_HOME, value: /tmp/bentoml}
  - {name: HOME, value: /tmp}
  {{- with .Values.extraEnv }}{{ toYaml . | nindent 2 }}{{ end }}
{{- if eq .Values.kind "library" }}
# SHAZAM_DATABASE, with its password, and what the storage's client reads.
envFrom: [{secretRef: {name: {{ .Values.library.existingSecret }}}}]
{{- end }}
{{- end }}

{{/* What a container may write: /tmp. */}}
{{- define "shazam.confined" -}}
securityContext:
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.artifact.existingClaim }}
  - {name: artifact, mountPath: /artifact, readOnly: true}
  {{- end }}
{{- end }}

{{/* The volume that holds the artifact, or nothing. */}}
{{- define "shazam.artifactVolume" -}}
{{- if .Values.artifact.existingClaim }}
- name: artifact
  persistentVolumeClaim: {claimName: {{ .Values.artifact.existingClaim }}, readOnly: true}
{{- end }}
{{- end }}
