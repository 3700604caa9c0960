#!/usr/bin/env python3
"""sbom.py --name NAME --version VERSION --output FILE.json [--buildinfo FILE] [--with TSV] PRODUCT...: what is in the
products and what they were made with, as SPDX 2.3, from dpkg's facts alone.

  --buildinfo  dpkg-genbuildinfo's: every package that was installed where they were built
  --with       lines of "NAME<tab>VERSION<tab>ARCHITECTURE<tab>LICENCE": packages whose files lie in the product
The same arguments give the same bytes; the time is SOURCE_DATE_EPOCH's.
"""
import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess

# Compiled in; the library holds no other code of a package (copyright has the licences).
COMPILED_IN = ("libstb-dev",)


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words))


def digest(path):
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def package(name, version, arch, **more):
    return {"SPDXID": identifier(name, version, arch), "name": name, "versionInfo": version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={arch}"}], **more}


def control(path):
    fields = subprocess.run(["dpkg-deb", "-f", path, "Package", "Version", "Architecture", "Depends", "Recommends"],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)


def main():
    parser = argparse.ArgumentParser()
    for option in ("name", "version", "output"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--buildinfo")
    parser.add_argument("--with", dest="held")
    parser.add_argument("products", nargs="+")
    asked = parser.parse_args()

    packages, relations, roots = {}, [], []

    def add(found):
        return packages.setdefault(found["SPDXID"], found)["SPDXID"]

    def relate(one, how, other):
        relations.append({"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other})

    for path in sorted(asked.products):
        more = {"packageFileName": os.path.basename(path), "licenseDeclared": "MIT",
                "checksums": [{"algorithm": "SHA256", "checksumValue": digest(path)}]}
        if path.endswith(".deb"):
            facts = control(path)
            root = add(package(facts["Package"], facts["Version"], facts["Architecture"], **more,
                               comment=f"Depends: {facts.get('Depends', '')}; Recommends: {facts.get('Recommends', '')}"))
        else:
            root = add({**package(os.path.basename(path), asked.version, "any", **more), "externalRefs": []})
        roots.append(root)
        relate("SPDXRef-DOCUMENT", "DESCRIBES", root)
    arch = "any"
    if asked.buildinfo:
        with open(asked.buildinfo, encoding="utf-8") as stream:
            text = stream.read()
        arch = re.search(r"^Build-Architecture: (\S+)", text, re.M)[1]
        installed = re.search(r"^Installed-Build-Depends:\n((?: .*\n)+)", text, re.M)[1]
        for name, version in re.findall(r"^ (\S+) \(= ([^)]+)\)", installed, re.M):
            name, _, its = name.partition(":")
            used = add(package(name, version, its or arch))
            for root in roots:
                if name in COMPILED_IN and "libvgg16" in root:
                    relate(root, "CONTAINS", used)
                else:
                    relate(used, "BUILD_DEPENDENCY_OF", root)
    if asked.held:
        with open(asked.held, encoding="utf-8") as stream:
            for line in stream:
                name, version, its, licence = line.rstrip("\n").split("\t")
                used = add(package(name, version, its, licenseComments=licence))
                for root in roots:
                    relate(root, "CONTAINS", used)

    time = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    digests = "".join(p["checksums"][0]["checksumValue"] for p in packages.values() if "checksums" in p)
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
                "name": f"{asked.name}-{asked.version}",
                "documentNamespace": "https://spdx.org/spdxdocs/" + asked.name + "-" + hashlib.sha256(digests.encode()).hexdigest(),
                "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: sbom.py"]},
                "packages": sorted(packages.values(), key=lambda p: p["SPDXID"]),
                "relationships": sorted(relations, key=lambda r: sorted(r.items()))}
    with open(asked.output, "w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1, sort_keys=True)
        stream.write("\n")


if __name__ == "__main__":
    main()
