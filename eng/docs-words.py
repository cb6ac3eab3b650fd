#!/usr/bin/env python3
"""Words per sentence of each page, and sentences of more than 30 words.

    eng/docs-words.py                 a line per page
    eng/docs-words.py --check         the same, and status 1 where a page is over the limits, or a link or a page named in the sources does not exist
    eng/docs-words.py --long PAGE...  the long sentences, with their lines

Counted is prose: paragraphs, list items, and table cells of at least eight words (shorter ones are labels). Headings and code are not
prose. A code span or a formula in backticks is one word. A sentence ends at . ! or ?, at the end of its paragraph, item or cell.
"""
import os
import re
import subprocess
import sys

MEAN_LIMIT = 17.0
LONG_WORDS = 30
LONG_LIMIT = 2

# Pages that are not held to the limits, each with the reason.
EXEMPT = {"docs/glossary.md": "each word has one sentence of 15 to 20 words"}


def blocks(text):
    """(line, prose) of each paragraph, list item and long table cell."""
    fenced = False
    current, start = [], 0
    previous_blank = True

    def flush():
        nonlocal current
        if current:
            yield start, " ".join(current)
        current = []

    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("```"):
            fenced = not fenced
            yield from flush()
            continue
        in_code = fenced or (line.startswith("    ") and previous_blank and not current)
        if in_code and stripped:
            continue  # an indented block goes on as long as nothing else has begun
        previous_blank = not stripped or stripped.startswith(("#", "<!--"))
        if not stripped or stripped.startswith(("#", "<!--", "<", "![")) or re.fullmatch(r"\*[^*]+\*", stripped):
            yield from flush()
            continue
        if stripped.startswith("|"):
            yield from flush()
            for cell in re.split(r"(?<!\\)\|", stripped.strip("|")):
                if len(words(cell)) >= 8:
                    yield number, cell.strip()
            continue
        item = re.match(r"([-*+]|\d+\.)\s+(.*)", stripped)
        if item:
            yield from flush()
            start, current = number, [item[2]]
        else:
            if not current:
                start = number
            current.append(stripped)
    yield from flush()


def plain(prose):
    prose = re.sub(r"`[^`]*`", "CODE", prose)
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    prose = re.sub(r"<https?:[^>]*>", "LINK", prose)
    return prose.replace("**", "").replace("*", "")


def words(prose):
    return [w for w in re.split(r"[\s/]+", plain(prose)) if re.search(r"\w", w)]


def sentences(prose):
    text = plain(prose)
    # A point inside a number or a name does not end a sentence: a space must follow.
    text = re.sub(r"\b(e\.g|i\.e|vs|cf)\.", r"\1", text)
    for part in re.split(r"(?<=[.!?])[\"')]*\s+", text):
        if words(part):
            yield part


def measure(path):
    found = []
    with open(path, encoding="utf-8") as file:
        for line, prose in blocks(file.read()):
            for sentence in sentences(prose):
                found.append((line, len(words(sentence)), sentence))
    return found


def broken_links(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        whole = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        if not os.path.exists(whole):
            yield target
        elif anchor and whole.endswith(".md") and anchor not in anchors(whole):
            yield f"{target}#{anchor}"


def missing_pages():
    """(file, page) of each page that a source names and that does not exist."""
    named = subprocess.run(["git", "grep", "-noIE", r"\bdocs/[A-Za-z0-9_./-]+\.[a-z]+", "--", "*.cs", "*.csproj", "*.props", "*.proto", "*.sh", "*.py",
                            "*.bicep", "*.json", "*.yml", ".ci", "Dockerfile"], capture_output=True, text=True, check=False).stdout
    for line in named.splitlines():
        source, number, page = line.split(":", 2)
        if not os.path.exists(page):
            yield f"{source}:{number}", page


def anchors(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.S)
    for heading in re.findall(r"^#+ (.*)$", text, flags=re.M):
        yield re.sub(r"[^\w\- ]", "", plain(heading.replace("`", "")).lower()).strip().replace(" ", "-")


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    arguments = sys.argv[1:]
    if arguments[:1] == ["--long"]:
        for path in arguments[1:]:
            for line, count, sentence in measure(path):
                if count > LONG_WORDS:
                    print(f"{path}:{line}: {count} words: {sentence}")
        return 0
    pages = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                           capture_output=True, text=True, check=True).stdout.split()
    failed = False
    print(f"{'page':44} {'sentences':>9} {'mean':>6} {'over 30':>7}")
    for path in sorted(p for p in pages if os.path.exists(p)):
        found = measure(path)
        if not found:
            continue
        mean = sum(count for _, count, _ in found) / len(found)
        long = sum(count > LONG_WORDS for _, count, _ in found)
        note = ""
        if mean > MEAN_LIMIT or long > LONG_LIMIT:
            note = f"  not held to the limits: {EXEMPT[path]}" if path in EXEMPT else "  OVER THE LIMITS"
            failed |= path not in EXEMPT
        print(f"{path:44} {len(found):9} {mean:6.1f} {long:7}{note}")
        for target in broken_links(path):
            print(f"{path}: the link to {target} leads nowhere")
            failed = True
    for source, page in missing_pages():
        print(f"{source}: there is no {page}")
        failed = True
    if "--check" in arguments and failed:
        print(f"docs: at most {MEAN_LIMIT:g} words a sentence on average, at most {LONG_LIMIT} sentences of more than {LONG_WORDS} words; "
              "eng/docs-words.py --long PAGE shows the long ones")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
