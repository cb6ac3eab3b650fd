using System.Text.Json;

namespace FuncScaler.Samples.Gateway;

/// <summary>How a function is called.</summary>
/// <param name="MemoryMb">The memory of an instance, MB.</param>
/// <param name="TimeoutSeconds">How long one request may take, s.</param>
/// <param name="Concurrency">How many requests an instance serves at a time.</param>
/// <param name="With">The function at whose scaler its requests meet; null for its own.</param>
internal sealed record FunctionCall(int MemoryMb, int TimeoutSeconds, int Concurrency = 1, string? With = null);

/// <summary>The functions that the gateway calls, from the same file that <c>funcscaler serve --functions</c> reads.</summary>
internal sealed class FunctionTable
{
    private const int LongestFileBytes = 1 << 20;

    private readonly FunctionCall _usual;
    private readonly Dictionary<string, FunctionCall>? _functions;

    private FunctionTable(FunctionCall usual, Dictionary<string, FunctionCall>? functions) => (_usual, _functions) = (usual, functions);

    /// <summary>The functions' keys; empty where no file was given.</summary>
    public IReadOnlyCollection<string> Keys => _functions?.Keys ?? (IReadOnlyCollection<string>)[];

    /// <summary>Reads the file that the settings name. Without one every name is a function, and the scaler says whether it knows it.</summary>
    /// <exception cref="InvalidDataException">The file cannot be used; the message says where and why.</exception>
    public static FunctionTable Read(GatewaySettings settings)
    {
        var usual = new FunctionCall(settings.MemoryMb, settings.TimeoutSeconds);
        if (settings.Functions.Length == 0)
        {
            return new FunctionTable(usual, null);
        }

        var file = new FileInfo(settings.Functions);
        if (!file.Exists || file.Length > LongestFileBytes)
        {
            throw new InvalidDataException($"--functions {settings.Functions} {(file.Exists ? "is longer than 1 MiB" : "is no file")}: name the file that the scaler reads, as samples/functions.json.");
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(file.FullName), new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            return new FunctionTable(usual, document.RootElement.GetProperty("functions").EnumerateObject().ToDictionary(f => f.Name, f => CallOf(f.Value, usual, $"{settings.Functions}: functions.{f.Name}.call")));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException($"--functions {settings.Functions} cannot be read: {e.Message} Write {{\"functions\": {{\"hello\": {{\"command\": [\"node\", \"hello.mjs\"]}}}}}}.", e);
        }
    }

    /// <returns>Null for a function that is not known.</returns>
    public FunctionCall? Find(string function) => _functions is null ? _usual : _functions.GetValueOrDefault(function);

    private static FunctionCall CallOf(JsonElement function, FunctionCall usual, string where)
    {
        return function.TryGetProperty("call", out var call)
            ? new FunctionCall(Number("memoryMb", usual.MemoryMb, 1 << 20), Number("timeoutSeconds", usual.TimeoutSeconds, 3600), Number("concurrency", 1, 1000), call.TryGetProperty("with", out var with) ? with.GetString() : null)
            : usual;

        int Number(string name, int otherwise, int most) =>
            !call.TryGetProperty(name, out var value) ? otherwise
            : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 1 && number <= most ? number
            : throw new InvalidDataException($"{where}.{name} {value.GetRawText()} is out of range: write a whole number from 1 to {most}.");
    }
}
