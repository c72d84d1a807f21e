{{- /* What the operator may do, verb by verb: the least that it needs. Roles and ClusterRoles share these rules. */ -}}

{{- /* Its own kinds of a namespace. It never creates or deletes one. */ -}}
{{- define "scm.rules.uploads" -}}
# list and watch to know them, get after a write conflict. patch is for the finalizer that deletionPolicy Delete needs
# (a JSON patch of metadata.finalizers); RBAC can't tell that from a patch of the spec, which it never makes.
- apiGroups: [scm.certops.dev]
  resources: [certificaterequestuploads]
  verbs: [get, list, watch, patch]
- apiGroups: [scm.certops.dev]
  resources: [scmaccounts]
  verbs: [list, watch]
- apiGroups: [scm.certops.dev]
  resources: [certificaterequestuploads/status, scmaccounts/status]
  verbs: [patch]
{{- end -}}

{{- define "scm.rules.clusterAccounts" -}}
- apiGroups: [scm.certops.dev]
  resources: [clusterscmaccounts]
  verbs: [list, watch]
- apiGroups: [scm.certops.dev]
  resources: [clusterscmaccounts/status]
  verbs: [patch]
{{- end -}}

{{- define "scm.rules.secrets" -}}
{{- if .Values.secrets.watch -}}
# get those that an upload or an account names; list and watch ask for metadata only, yet RBAC can't tell that from the
# whole, so this allows to read them all.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- else -}}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.secrets.names }}
  resourceNames:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  verbs: [get]
{{- end -}}
{{- end -}}

{{- define "scm.rules.events" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
