using System.Text.Json;

namespace FuncScaler.ScalerHost.Commands.PolicyPrograms;

/// <summary>A program's answer to one call: a JSON object, of which each field is read, so that a misspelt field is noticed.</summary>
internal sealed class PolicyAnswer
{
    private readonly Dictionary<string, JsonElement> _unread = [];
    private readonly string _text;
    private readonly Func<string, Exception> _wrong;

    /// <param name="text">The line.</param>
    /// <param name="wrong">Makes the error that says what is wrong with it.</param>
    public PolicyAnswer(string text, Func<string, Exception> wrong)
    {
        _text = text;
        _wrong = wrong;
        JsonElement answer;
        try
        {
            using var document = JsonDocument.Parse(text);
            answer = document.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw Wrong("is no JSON. Each call wants one line with a JSON object, and nothing else may be printed on standard output");
        }

        if (answer.ValueKind != JsonValueKind.Object)
        {
            throw Wrong("is no JSON object");
        }

        foreach (var field in answer.EnumerateObject())
        {
            _unread[field.Name] = field.Value;
        }

        if (_unread.TryGetValue("error", out var error))
        {
            throw wrong($"says that it failed: \"{RemoteWords.Clean(error.ToString())}\"");
        }
    }

    public bool Has(string field) => _unread.ContainsKey(field);

    /// <summary>A whole number from 0.</summary>
    public long Whole(string field, long most = long.MaxValue) =>
        Take(field) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var value) && value >= 0 && value <= most
            ? value
            : throw Wrong($"has no field \"{field}\" that is a whole number from 0 to {most}");

    public bool Truth(string field) => Take(field)?.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong($"has no field \"{field}\" that is true or false"),
    };

    /// <summary>A list of words of which each is one of some.</summary>
    public HashSet<string> Words(string field, IReadOnlyCollection<string> among) =>
        Take(field) is { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().All(w => w.ValueKind == JsonValueKind.String && among.Contains(w.GetString()!))
            ? [.. list.EnumerateArray().Select(w => w.GetString()!)]
            : throw Wrong($"has no field \"{field}\" that is a list of {string.Join(", ", among)}");

    /// <summary>To be called once all fields are read.</summary>
    public void Finish()
    {
        if (_unread.Keys.FirstOrDefault() is { } field)
        {
            throw Wrong($"has a field \"{RemoteWords.Clean(field)}\" that means nothing here");
        }
    }

    private JsonElement? Take(string field) => _unread.Remove(field, out var value) ? value : null;

    private Exception Wrong(string what) => _wrong($"answered {RemoteWords.Clean(_text.Length > 200 ? _text[..200] + "…" : _text)}, which {what}");
}
