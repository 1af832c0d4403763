#!/usr/bin/env python3
"""Embeds files into C: `embed.py NAME OUT FILE…` writes one table `embedded_NAME`.

`embed.py --list FOLDER` prints the files of a folder, sorted, for meson.
The table's type stands in include/base/embedded.h.
"""
import os
import sys


def files_of(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not name.startswith("."):
            yield path


def c_string(data):
    lines = []
    for start in range(0, len(data), 40):
        piece = data[start:start + 40]
        lines.append('    "' + "".join(f"\\{byte:03o}" for byte in piece) + '"')
    return "\n".join(lines) or '    ""'


def main():
    if sys.argv[1] == "--list":
        print("\n".join(files_of(sys.argv[2])))
        return
    name, out, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(out, "w", encoding="ascii") as file:
        file.write('#include "base/embedded.h"\n\n')
        file.write(f"const struct embedded embedded_{name}[] = {{\n")
        for path in paths:
            with open(path, "rb") as source:
                data = source.read()
            file.write(f'{{"{os.path.basename(path)}", {len(data)},\n{c_string(data)}}},\n')
        file.write(f"{{0, 0, 0}}}};\n")


if __name__ == "__main__":
    main()
