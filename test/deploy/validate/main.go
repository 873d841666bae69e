// Judges Kubernetes objects by the libraries that clusters judge them by:
//
//	validate FILE…
//
// Every pod and pod template must pass Pod Security's level "restricted"; objects of kinds that Kubernetes itself does
// not know (KEDA's ScaledObject, the Prometheus operator's ServiceMonitor) and k3d's configuration must have the shape that
// their owners' own code gives them, without a field that it does not know. Exit status 1 if something does not.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	k3d "github.com/k3d-io/k3d/v5/pkg/config/v1alpha5"
	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/xeipuuv/gojsonschema"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// judge tells what is wrong with one document.
type judge struct {
	evaluator policy.Evaluator
}

func newJudge() (*judge, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return nil, err
	}
	return &judge{evaluator: evaluator}, nil
}

func (j *judge) pod(metadata *meta.ObjectMeta, spec *core.PodSpec) error {
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(j.evaluator.EvaluatePod(restricted, metadata, spec))
	if result.Allowed {
		return nil
	}
	return fmt.Errorf("not restricted: %s: %s", result.ForbiddenReason(), result.ForbiddenDetail())
}

func (j *judge) template(template *core.PodTemplateSpec) error {
	return j.pod(&template.ObjectMeta, &template.Spec)
}

func k3dConfiguration(document []byte) error {
	json, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(k3d.JSONSchema), gojsonschema.NewBytesLoader(json))
	if err != nil {
		return err
	}
	var problems []error
	for _, problem := range result.Errors() {
		problems = append(problems, errors.New(problem.String()))
	}
	if len(problems) != 0 {
		return fmt.Errorf("%v", problems)
	}
	return yaml.UnmarshalStrict(document, &k3d.SimpleConfig{})
}

// check returns what the document is, and what is wrong with it.
func (j *judge) check(document []byte) (string, error) {
	var head struct {
		meta.TypeMeta `json:",inline"`
		Metadata      meta.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "a document", err
	}
	name := head.Kind + "/" + head.Metadata.Name
	strict := func(into interface{}) error { return yaml.UnmarshalStrict(document, into) }
	switch head.APIVersion + " " + head.Kind {
	case "v1 Pod":
		var pod core.Pod
		if err := strict(&pod); err != nil {
			return name, err
		}
		return name, j.pod(&pod.ObjectMeta, &pod.Spec)
	case "apps/v1 StatefulSet":
		var set apps.StatefulSet
		if err := strict(&set); err != nil {
			return name, err
		}
		return name, j.template(&set.Spec.Template)
	case "apps/v1 Deployment":
		var deployment apps.Deployment
		if err := strict(&deployment); err != nil {
			return name, err
		}
		return name, j.template(&deployment.Spec.Template)
	case "batch/v1 Job":
		var job batch.Job
		if err := strict(&job); err != nil {
			return name, err
		}
		return name, j.template(&job.Spec.Template)
	case "keda.sh/v1alpha1 ScaledObject":
		return name, strict(&keda.ScaledObject{})
	case "keda.sh/v1alpha1 TriggerAuthentication":
		return name, strict(&keda.TriggerAuthentication{})
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return name, strict(&monitoring.ServiceMonitor{})
	}
	if strings.HasPrefix(head.APIVersion, "k3d.io/") {
		return name, k3dConfiguration(document)
	}
	return "", nil // no pods, and a kind of Kubernetes' own: its schemas judge it
}

func run(files []string) (judged, wrong int, err error) {
	j, err := newJudge()
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return judged, wrong, err
		}
		documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return judged, wrong, fmt.Errorf("%s: %w", file, err)
			}
			name, problem := j.check(document)
			if name == "" {
				continue
			}
			judged++
			if problem != nil {
				wrong++
				fmt.Printf("%s: %s: %v\n", file, name, problem)
			}
		}
	}
	return judged, wrong, nil
}

func main() {
	judged, wrong, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Printf("%d objects judged, %d wrong\n", judged, wrong)
	if wrong != 0 || judged == 0 {
		os.Exit(1)
	}
}
