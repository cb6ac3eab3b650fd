using System.Text.Json;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>
/// A file that describes a run of <c>simulate</c>: a JSON object of its options, each by its name without the dashes. A list stands for an option that
/// is given several times; true for one without a value; <c>${NAME}</c> in a text for a variable of the environment.
/// </summary>
internal static class ExperimentFile
{
    private const int MostBytes = 1 << 20;

    /// <summary>The options as they would be typed.</summary>
    /// <exception cref="CommandException">The file is not of that form; the message says what is wrong.</exception>
    public static List<string> Read(string path)
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists)
            {
                throw Wrong(path, "there is no such file");
            }

            if (info.Length > MostBytes)
            {
                throw Wrong(path, "it is larger than 1 MB");
            }

            using var document = JsonDocument.Parse(
                File.ReadAllText(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw Wrong(path, "it is no JSON object");
            }

            var words = new List<string>();
            foreach (var option in document.RootElement.EnumerateObject())
            {
                if (option.Name == "experiment")
                {
                    throw Wrong(path, "an experiment cannot name another");
                }

                foreach (var value in option.Value.ValueKind == JsonValueKind.Array ? [.. option.Value.EnumerateArray()] : (JsonElement[])[option.Value])
                {
                    words.AddRange(Words(path, option.Name, value));
                }
            }

            return words;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter where an escape is half a character.
            throw new CommandException(CommandException.BadUsage, $"--experiment \"{path}\", line {((e as JsonException)?.LineNumber ?? 0) + 1}: broken JSON; write an object of options.", e);
        }
    }

    private static string[] Words(string path, string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [$"--{name}", Expand(path, value.GetString()!)],
        JsonValueKind.Number => [$"--{name}", value.GetRawText()],
        JsonValueKind.True => [$"--{name}"],
        JsonValueKind.False => [],
        _ => throw Wrong(path, $"the value of {name} is neither text, number, true, false nor a list of these"),
    };

    private static string Expand(string path, string text)
    {
        for (var begin = text.IndexOf("${", StringComparison.Ordinal); begin >= 0; begin = text.IndexOf("${", begin, StringComparison.Ordinal))
        {
            var end = text.IndexOf('}', begin);
            var name = end < 0 ? "" : text[(begin + 2)..end];
            var value = name.Length > 0 ? Environment.GetEnvironmentVariable(name) : null;
            if (value is null)
            {
                throw Wrong(path, $"the variable '{name}' is not set in the environment");
            }

            text = text[..begin] + value + text[(end + 1)..];
            begin += value.Length;
            if (begin > text.Length)
            {
                break;
            }
        }

        return text;
    }

    private static CommandException Wrong(string path, string what) => new(CommandException.BadUsage, $"--experiment \"{path}\": {what}.");
}
