#!/usr/bin/env python3
"""Names the images that this repository uses by their digest, so that the same commit always builds from, and runs, the same bytes.

    eng/pin-images.py              asks each image's registry what its tag is now, and writes NAME:TAG@sha256:DIGEST into the files
    eng/pin-images.py --check      asks nobody; says which images are named by their tag alone. Ends with 1 where a digest cannot be one

A digest is written only where the bytes of the registry's manifest have it. An image whose registry does not answer stays as it is, and the script ends
with 3. It needs the network, and no Docker. The tags stay: they say to whoever reads the file which version it is, and to this script where to look for a newer one.
"""
import argparse
import hashlib
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
IMAGE = r"(?P<image>[a-z0-9][\w.:/-]*/[\w./-]+(?::[\w.-]+)?(?:@\S*?)?)"

# Where images of others stand. Parameters that name an image of the operator's own have no default.
FILES = {
    "Dockerfile": rf"^FROM {IMAGE}(?=\s)",
    "samples/monitoring/Dockerfile": rf"^FROM {IMAGE}(?=\s)",
    "samples/monitoring/compose.yaml": rf"^ +image: {IMAGE}(?=\s)",
    ".devcontainer/devcontainer.json": rf'"image": "{IMAGE}"',
    "infra/bicep/main.bicep": rf"^  '\w+:\d+': '{IMAGE}'",
    "samples/aci.json": rf'"\w+:\d+": "{IMAGE}"',
}
KINDS = ", ".join(f"application/vnd.{kind}+json" for kind in (
    "oci.image.index.v1", "docker.distribution.manifest.list.v2", "oci.image.manifest.v1", "docker.distribution.manifest.v2"))


def get(url, headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.read(16 << 20)


def address(image):
    """An image's manifest: registry and path as Docker understands a name, where the first part is a host if it has a dot or a port."""
    host, _, name = image.partition("/")
    if not re.search(r"[.:]|^localhost$", host):
        host, name = "registry-1.docker.io", image
    name, tag = re.fullmatch(r"(.+?)(?::([\w.-]+))?", name).groups()
    plain = re.match(r"(localhost|127\.0\.0\.1)(:|$)", host)
    return f"http{'' if plain else 's'}://{host}/v2/{name}/manifests/{tag or 'latest'}"


def digest_of(image):
    """What the tag is now. The digest is that of the bytes that came, whatever else the registry says."""
    url, headers = address(image), {"Accept": KINDS}
    try:
        manifest = get(url, headers)
    except urllib.error.HTTPError as refused:
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', refused.headers.get("WWW-Authenticate", "")))
        if refused.code != 401 or "realm" not in wanted:
            raise
        query = urllib.parse.urlencode({k: v for k, v in wanted.items() if k in ("service", "scope")})
        token = json.loads(get(f"{wanted['realm']}?{query}", {}))
        manifest = get(url, headers | {"Authorization": f"Bearer {token.get('token') or token['access_token']}"})
    if "schemaVersion" not in json.loads(manifest):
        raise ValueError("the answer is no manifest")
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def main():
    options = argparse.ArgumentParser(description="Names images by their digest.")
    options.add_argument("--check", action="store_true", help="ask nobody, say which have none")
    options.add_argument("--root", default=ROOT, help="where the files are")
    options = options.parse_args()
    known, unpinned, wrong, unknown = {}, {}, [], []
    for path, pattern in FILES.items():
        file = os.path.join(options.root, path)
        if not os.path.exists(file):
            continue
        with open(file, encoding="utf-8", newline="") as stream:
            text = stream.read()

        def pinned(match):
            image, at, digest = match["image"].partition("@")
            if options.check:
                if not at:
                    unpinned.setdefault(image, []).append(path)
                elif not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
                    wrong.append(f"{path}: {match['image']} has no SHA-256 of 64 digits after the @: run eng/pin-images.py.")
                elif known.setdefault(image, digest) != digest:
                    wrong.append(f"{path}: {image} has another digest here than elsewhere: run eng/pin-images.py.")
                return match[0]
            if image not in known:
                try:
                    known[image] = digest_of(image)
                    print(f"{image} is {known[image]}")
                except (OSError, ValueError, KeyError) as error:
                    known[image] = None
                    unknown.append(image)
                    print(f"{image} cannot be asked for: {error}", file=sys.stderr)
            return match[0] if known[image] is None else match[0].replace(match["image"], f"{image}@{known[image]}")

        changed = re.sub(pattern, pinned, text, flags=re.M)
        if changed != text:
            with open(file, "w", encoding="utf-8", newline="") as stream:
                stream.write(changed)

    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if options.check:
        named = "; ".join(f"{image} ({', '.join(dict.fromkeys(paths))})" for image, paths in unpinned.items())
        print(f"images: {len(known)} named by digest, {len(unpinned)} by tag alone{': ' if named else ''}{named}")
    return 1 if wrong else 3 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
