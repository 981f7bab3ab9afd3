"""The fields that cluster/kubernetes uses, as a JSON schema: those of KubeRay's `ray.io/v1` and of Kubernetes' pods.

Written after https://ray-project.github.io/kuberay/reference/api/ (KubeRay 1.7). The real definitions have a million
characters a kind, nearly all of them Kubernetes' pods; with a folder of them, test_kubernetes.py holds the files to
these, too.
"""

from typing import Any

Schema = dict[str, Any]

NAME = {"type": "string", "pattern": r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"}
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}


def of(required: Schema, **optional: Any) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def every(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def some(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


QUANTITIES = {
    "type": "object",
    "properties": {
        "cpu": {"type": "string", "pattern": r"^\d+(m|\.\d+)?$"},
        "memory": {"type": "string", "pattern": r"^\d+[KMGT]i$"},
    },
    "patternProperties": {r"^nvidia\.com/": {"type": "string", "pattern": r"^\d+$"}},
    "additionalProperties": False,
    "required": ["cpu", "memory"],
}
PROBE = of({"exec": of({"command": some(TEXT)})}, periodSeconds=COUNT, initialDelaySeconds=COUNT)
VARIABLE = of({"name": TEXT, "valueFrom": of({"fieldRef": of({"fieldPath": {"enum": ["status.podIP"]}})})})
CONTAINER = of(
    {"name": NAME, "image": TEXT, "resources": of({"requests": QUANTITIES, "limits": QUANTITIES})},
    command=some(TEXT),
    args=some(TEXT),
    env=some(VARIABLE),
    ports=some(of({"containerPort": {"type": "integer", "minimum": 1, "maximum": 65535}, "name": NAME})),
    readinessProbe=PROBE,
    livenessProbe=PROBE,
    volumeMounts=some(of({"name": NAME, "mountPath": {"type": "string", "pattern": "^/"}})),
)
VOLUME = {
    "oneOf": [
        of({"name": NAME, "persistentVolumeClaim": of({"claimName": NAME})}),
        of({"name": NAME, "emptyDir": of({"medium": {"const": "Memory"}, "sizeLimit": TEXT})}),
    ]
}
TEMPLATE = of(
    {"spec": of({"containers": some(CONTAINER)}, volumes=some(VOLUME))},
    metadata=of({"annotations": every(TEXT)}),
)
CLUSTER_SPEC = of(
    {
        "rayVersion": TEXT,
        "authOptions": of({"mode": {"enum": ["token", "disabled"]}}),
        "headGroupSpec": of({"rayStartParams": every(TEXT), "template": TEMPLATE}),
        "workerGroupSpecs": some(
            of(
                {
                    "groupName": NAME,
                    "replicas": COUNT,
                    "minReplicas": COUNT,
                    "maxReplicas": COUNT,
                    "rayStartParams": every(TEXT),
                    "template": TEMPLATE,
                }
            )
        ),
    }
)
SCHEMAS = {
    "RayCluster": of(
        {
            "apiVersion": {"const": "ray.io/v1"},
            "kind": {"const": "RayCluster"},
            "metadata": of({"name": NAME}),
            "spec": CLUSTER_SPEC,
        }
    ),
    "RayJob": of(
        {
            "apiVersion": {"const": "ray.io/v1"},
            "kind": {"const": "RayJob"},
            "metadata": of({"name": NAME}),
            "spec": of(
                {"entrypoint": TEXT, "rayClusterSpec": CLUSTER_SPEC},
                shutdownAfterJobFinishes={"type": "boolean"},
                ttlSecondsAfterFinished=COUNT,
            ),
        }
    ),
}
