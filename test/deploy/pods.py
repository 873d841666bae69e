"""Kubernetes manifests as pods of podman, on one machine without a cluster.

Stands in for what a cluster does: makes the pods of a StatefulSet, a Deployment or a Job, gives them names that resolve,
their ConfigMaps and volumes, starts a container again that ended, and calls the probes. Everything is in a network namespace of
its own, out of which nothing leads.
"""

import base64
import copy
import json
import os
import pathlib
import resource
import subprocess
import time

SUBNET = "10.231.7"  # inside the namespace only


class PodError(Exception):
    pass


class Pods:
    """`objects`: what Kustomize rendered. `images`: by which local image each one of the manifests is stood in for."""

    def __init__(self, folder, objects, images):
        self.folder = pathlib.Path(folder)
        self.objects = objects
        self.images = images
        self.namespace = self.network = f"kaspar-pods-{os.getpid()}"
        self.environment = dict(os.environ)
        self.addresses = {}
        self.started = []

    # ---- the network: podman's own, made inside a namespace that nothing leads out of

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        # Without CAP_SYS_RESOURCE nobody gets more than there is.
        limits = ", ".join(f'"{name}={least}:{least}"' for name, least in (
            ("nofile", 4096),
            ("nproc", 4096)))
        configuration = self.folder / "containers.conf"
        configuration.write_text(
            f'[containers]\ndefault_ulimits = [{limits}]\nlog_driver = "k8s-file"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n', encoding="utf-8")
        self.environment = dict(os.environ, CONTAINERS_CONF=str(configuration))
        self._run("ip", "netns", "add", self.namespace)
        try:
            self._inside("ip", "link", "set", "lo", "up")
            self._podman("network", "create", "--internal", "--disable-dns", f"--subnet={SUBNET}.0/24", self.network)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(self.started):
            self._podman("pod", "rm", "--force", "--time", "1", name, check=False)
        self._podman("network", "rm", "--force", self.network, check=False)
        self._run("ip", "netns", "delete", self.namespace, check=False)

    def _inside(self, *command, **options):
        return self._run("nsenter", f"--net=/run/netns/{self.namespace}", *command, **options)

    def _podman(self, *arguments, **options):
        return self._inside("podman", *arguments, **options)

    def _run(self, *command, check=True, timeout=180, text=None):
        done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, check=False, timeout=timeout,
                              env=self.environment)
        if check and done.returncode != 0:
            raise PodError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def _bridge(self):
        links = json.loads(self._inside("ip", "-json", "link", "show", "type", "bridge").stdout)
        return links[0]["ifname"]

    def address(self, name):
        """A pod's; it keeps it when it is replaced, so that names resolve before the pods are there."""
        return self.addresses.setdefault(name, f"{SUBNET}.{len(self.addresses) + 10}")

    # ---- what the manifests say

    def find(self, kind, name):
        for one in self.objects:
            if one["kind"] == kind and one["metadata"]["name"] == name:
                return one
        raise PodError(f"there is no {kind} {name}")

    def names_of(self, set_name):
        return [f"{set_name}-{i}" for i in range(self.find("StatefulSet", set_name)["spec"]["replicas"])]

    def _host_aliases(self):
        """What a cluster's name server would say: each pod below its headless Service, and the Service's own name."""
        aliases = []
        for one in self.objects:
            if one["kind"] != "StatefulSet":
                continue
            service = one["spec"]["serviceName"]
            for name in self.names_of(one["metadata"]["name"]):
                aliases.append({"ip": self.address(name), "hostnames": [f"{name}.{service}", service]})
        return aliases

    def _config_map(self, name):
        """Its folder on the host, a file a key."""
        folder = self.folder / "config-maps" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            config_map = self.find("ConfigMap", name)
            for key, text in (config_map.get("data") or {}).items():
                (folder / key).write_text(text, encoding="utf-8")
            for key, text in (config_map.get("binaryData") or {}).items():
                (folder / key).write_bytes(base64.b64decode(text))
        return folder

    def _source(self, pod, volume, user):
        """Where on the host the volume is; None for a Secret that need not be there."""
        if "configMap" in volume:
            return self._config_map(volume["configMap"]["name"])
        if "secret" in volume:
            return None
        folder = self.folder / "volumes" / pod / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user, user)
        return folder

    def _mounts(self, pod, spec, claims):
        """podman's volumes are the host's paths; each mount becomes one."""
        user = spec["securityContext"]["runAsUser"]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        volumes.update({claim["metadata"]["name"]: {"name": claim["metadata"]["name"]} for claim in claims})
        sources = {}
        for container in spec["containers"]:
            mounts = []
            for mount in container.get("volumeMounts", []):
                source = self._source(pod, volumes[mount["name"]], user)
                if source is None:
                    continue
                path = source / mount.get("subPath", "")
                if not path.exists():
                    path.mkdir(parents=True)
                    os.chown(path, user, user)
                name = f"v{len(sources)}"
                sources[name] = {"name": name, "hostPath": {"path": str(path)}}
                mounts.append({"name": name, "mountPath": mount["mountPath"], "readOnly": mount.get("readOnly", False)})
            container["volumeMounts"] = mounts
        spec["volumes"] = list(sources.values())

    def _environment(self, pod, labels, container):
        """What a cluster puts into the variables; `$(NAME)` is an earlier one."""
        values = {}
        for variable in container.get("env", []):
            if "value" in variable:
                value = variable["value"]
                for name, known in values.items():
                    value = value.replace(f"$({name})", known)
            else:
                field = variable["valueFrom"]["fieldRef"]["fieldPath"]
                value = pod if field == "metadata.name" else labels[field.split("'")[1]]
            values[variable["name"]] = value
        return values

    def pod(self, kind, owner, ordinal=None, more_environment=None):
        """The Pod that a cluster would make for the object: (name, Pod)."""
        one = self.find(kind, owner)
        template = copy.deepcopy(one["spec"]["template"])
        spec = template["spec"]
        name = owner if ordinal is None else f"{owner}-{ordinal}"
        labels = dict(template["metadata"]["labels"], **{"apps.kubernetes.io/pod-index": str(ordinal)})
        for container in spec["containers"]:
            values = self._environment(name, labels, container)
            values.update(more_environment or {})
            container["env"] = [{"name": key, "value": value} for key, value in values.items()]
            container["image"] = self.images[container["image"]]
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                container.pop(probe, None)  # the test calls them
            container["resources"]["limits"].pop("ephemeral-storage")
            container["resources"]["requests"].pop("ephemeral-storage")
            container["ports"] = []  # podman would open them on the host
            # podman has these of a container only.
            for key in ("runAsUser", "runAsGroup", "runAsNonRoot"):
                container["securityContext"][key] = spec["securityContext"][key]
        self._mounts(name, spec, one["spec"].get("volumeClaimTemplates", []))
        kept = {"containers": spec["containers"], "volumes": spec["volumes"], "hostAliases": self._host_aliases(),
                "restartPolicy": "Never", "hostname": name,
                "terminationGracePeriodSeconds": spec.get("terminationGracePeriodSeconds", 30)}
        return name, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": kept}

    # ---- their lives

    def play(self, name, pod):
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(pod, indent=2), encoding="utf-8")
        self.started.append(name)
        self._podman("play", "kube", "--network", self.network, "--ip", self.address(name), file)
        # An internal network's bridge has no address; this one lets us ask the pods.
        self._inside("ip", "address", "replace", f"{SUBNET}.1/24", "dev", self._bridge())

    def start(self, kind, owner, ordinal=None, more_environment=None):
        name, pod = self.pod(kind, owner, ordinal, more_environment)
        self.play(name, pod)
        return name

    def remove(self, name, grace):
        """As a cluster ends a pod: SIGTERM, and SIGKILL after the grace. Returns the statuses of its containers, how long it
        took, and the end of their logs."""
        start = time.monotonic()
        # Before what holds the pod's network, which `pod stop` ends at the same time and a cluster last.
        self._podman("stop", "--time", str(grace), *self.containers(name), timeout=grace + 60)
        took = time.monotonic() - start
        statuses, log = self.statuses(name), self.logs(name).splitlines()[-15:]
        self._podman("pod", "rm", "--force", name)
        self.started.remove(name)
        return statuses, took, log

    def containers(self, name):
        listed = json.loads(self._podman("ps", "--all", "--format=json", f"--filter=pod={name}").stdout)
        return [one["Names"][0] for one in listed if not one["IsInfra"]]

    def statuses(self, name):
        found = json.loads(self._podman("inspect", *self.containers(name)).stdout)
        return [one["State"]["ExitCode"] for one in found if not one["State"]["Running"]]

    def inspect(self, name):
        return json.loads(self._podman("inspect", *self.containers(name)).stdout)

    def kill(self, name):
        """kill -9 of what runs in its containers."""
        self._podman("kill", "--signal=KILL", *self.containers(name))

    def restart_ended(self, name):
        """As the kubelet does; returns how many containers it started."""
        ended = [one["Name"] for one in self.inspect(name) if not one["State"]["Running"]]
        if ended:
            self._podman("start", *ended)
        return len(ended)

    def logs(self, name):
        text = ""
        for container in self.containers(name):
            done = self._podman("logs", container, check=False)
            text += done.stdout + done.stderr
        return text

    def execute(self, name, *command, timeout=120):
        return self._podman("exec", self.containers(name)[0], *command, timeout=timeout)

    def _beside(self, name, image, arguments):
        """The command of a container of an image beside the pods, with their names: what `kubectl run --rm` does."""
        hosts = [f"--add-host={host}:{alias['ip']}" for alias in self._host_aliases() for host in alias["hostnames"]]
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "podman", "run", "--rm", "--interactive", "--read-only", "--cap-drop=all",
                f"--network={self.network}", f"--ip={self.address(name)}", *hosts, image, *arguments]

    def output(self, name, image, arguments, timeout=300):
        return self._run(*self._beside(name, image, arguments), timeout=timeout).stdout

    def begin(self, name, image, arguments):
        """The process, whose standard input is the container's."""
        return subprocess.Popen(self._beside(name, image, arguments), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, env=self.environment)

    # ---- what is asked of them

    def get(self, name, port, path, timeout=2):
        """(status, body) of a GET to the pod; (None, reason) where it does not answer."""
        program = ("import http.client,sys\nc=http.client.HTTPConnection(sys.argv[1],int(sys.argv[2]),timeout=float(sys.argv[4]))\n"
                   "c.request('GET',sys.argv[3]);r=c.getresponse();b=r.read().decode('utf-8','replace')\nprint(r.status);print(b,end='')")
        done = self._inside("/usr/bin/python3", "-c", program, self.address(name), str(port), path, str(timeout), check=False)
        if done.returncode != 0:
            return None, done.stderr.strip().splitlines()[-1]
        status, _, body = done.stdout.partition("\n")
        return int(status), body

    def probe(self, kind, owner, name, which):
        """Whether the probe of the manifest's first container succeeds now."""
        container = self.find(kind, owner)["spec"]["template"]["spec"]["containers"][0]
        probe = container[which]["httpGet"]
        port = next(port["containerPort"] for port in container["ports"] if port["name"] == probe["port"])
        status, _ = self.get(name, port, probe["path"], container[which].get("timeoutSeconds", 1))
        return status is not None and 200 <= status < 400
