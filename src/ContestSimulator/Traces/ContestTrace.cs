using System.Text;
using System.Text.Json;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>
/// A trace in the contest's format: a file of functions (<c>metas</c>) and one of requests (<c>requests</c>), each JSON lines in UTF-8,
/// plain or gzip. Blank lines and unknown fields are skipped. Requests may stand up to <see cref="ReorderWindowSeconds"/> of trace
/// too late in their file and are put in order.
/// </summary>
public sealed class ContestTrace : ITrace
{
    /// <summary>How much too late in its file a request may stand, s of trace.</summary>
    public const int ReorderWindowSeconds = 60;

    internal const string MetasFile = "metas";
    internal const string RequestsFile = "requests";

    private const long LongestDurationMs = 30L * 24 * 3600 * 1000;
    private const long LargestMemoryMb = 1L << 20;
    private const long LatestStartMs = 32_503_680_000_000; // the year 3000

    private readonly string _requestsPath;
    private readonly Utf8KeyTable _indexes;
    private readonly TraceFunction[] _functions;

    private ContestTrace(string name, string metasPath, string requestsPath)
    {
        Name = name;
        _requestsPath = requestsPath;
        (_functions, _indexes) = ReadFunctions(metasPath);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions => _functions;

    /// <summary>Opens a folder with the files <c>metas</c> and <c>requests</c>, each as it is or with <c>.gz</c>; reads the functions.</summary>
    /// <param name="folder">The folder; its name becomes the trace's.</param>
    /// <exception cref="TraceFormatException">Something is missing, or the functions are malformed.</exception>
    public static ContestTrace Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        return new ContestTrace(name, TraceFile.Find(folder, MetasFile), TraceFile.Find(folder, RequestsFile));
    }

    /// <summary>Opens two files, wherever they are; reads the functions.</summary>
    /// <param name="metasPath">The functions, plain or gzip.</param>
    /// <param name="requestsPath">The requests, plain or gzip; the name of its folder becomes the trace's.</param>
    /// <exception cref="TraceFormatException">A file is missing, or the functions are malformed.</exception>
    public static ContestTrace Open(string metasPath, string requestsPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(metasPath);
        ArgumentException.ThrowIfNullOrEmpty(requestsPath);
        TraceFile.Require(metasPath, "the functions (metas)");
        TraceFile.Require(requestsPath, "the requests");
        var folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(requestsPath)));
        return new ContestTrace(string.IsNullOrEmpty(folder) ? RequestsFile : folder, metasPath, requestsPath);
    }

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests()
    {
        using var lines = new Utf8LineReader(_requestsPath);
        var window = new ReorderWindow(ReorderWindowSeconds * 1_000_000L);
        var any = false;
        TraceRequest request;
        while (TryParseNext(lines, out request))
        {
            any = true;
            if (!window.TryAdd(request))
            {
                throw TraceFile.FieldError(
                    lines.Path,
                    lines.LineNumber,
                    "startTime",
                    $"{request.StartUs / 1000} is more than {ReorderWindowSeconds} s before that of an earlier line",
                    "sort the file by startTime");
            }

            while (window.TryTake(out request, atEnd: false))
            {
                yield return request;
            }
        }

        if (!any)
        {
            throw TraceFile.FileError(_requestsPath, "there is no request in it", "one JSON object per line is needed");
        }

        while (window.TryTake(out request, atEnd: true))
        {
            yield return request;
        }
    }

    private static (TraceFunction[] Functions, Utf8KeyTable Indexes) ReadFunctions(string path)
    {
        using var lines = new Utf8LineReader(path);
        var functions = new List<TraceFunction>();
        var linesByFunction = new List<long>();
        var indexes = new Utf8KeyTable();
        while (lines.TryReadNonBlank(out var line))
        {
            var function = ParseFunction(path, lines.LineNumber, line);
            var key = Encoding.UTF8.GetBytes(function.Meta.Key.Value);
            if (!indexes.TryAdd(key, functions.Count))
            {
                indexes.TryGet(key, out var first);
                throw TraceFile.FieldError(
                    path,
                    lines.LineNumber,
                    "key",
                    $"\"{function.Meta.Key}\" is already on line {linesByFunction[first]}",
                    "keep one line per function");
            }

            functions.Add(function);
            linesByFunction.Add(lines.LineNumber);
        }

        return functions.Count > 0
            ? ([.. functions], indexes)
            : throw TraceFile.FileError(path, "there is no function in it", "one JSON object per line is needed");
    }

    private static TraceFunction ParseFunction(string path, long lineNumber, ReadOnlySpan<byte> line)
    {
        string? key = null;
        var runtime = "";
        long timeoutSeconds = 0;
        var memoryMb = -1L;
        var initMs = -1L;
        try
        {
            var json = new Utf8JsonReader(line);
            var fields = new Fields(path, lineNumber);
            fields.ReadStart(ref json);
            while (Fields.ReadName(ref json))
            {
                if (json.ValueTextEquals("key"u8))
                {
                    key = fields.ReadString(ref json, "key");
                }
                else if (json.ValueTextEquals("runtime"u8))
                {
                    runtime = fields.ReadString(ref json, "runtime");
                }
                else if (json.ValueTextEquals("timeoutInSecs"u8))
                {
                    timeoutSeconds = fields.ReadInteger(ref json, "timeoutInSecs", 0, int.MaxValue);
                }
                else if (json.ValueTextEquals("memoryInMb"u8))
                {
                    memoryMb = fields.ReadInteger(ref json, "memoryInMb", 1, LargestMemoryMb);
                }
                else if (json.ValueTextEquals("initDurationInMs"u8))
                {
                    initMs = fields.ReadInteger(ref json, "initDurationInMs", 0, LongestDurationMs);
                }
                else
                {
                    json.Read();
                    json.Skip();
                }
            }

            Fields.ReadEnd(ref json);
            fields.Require(!string.IsNullOrEmpty(key), "key");
            fields.Require(memoryMb >= 0, "memoryInMb");
            fields.Require(initMs >= 0, "initDurationInMs");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter where a name has an escape that is half a character.
            throw BrokenJson(path, lineNumber, e);
        }

        return new TraceFunction(new FunctionMeta(new MetaKey(key!), runtime, (int)timeoutSeconds, (int)memoryMb), initMs * 1000);
    }

    private static TraceFormatException BrokenJson(string path, long lineNumber, Exception e) =>
        TraceFile.LineError(
            path, lineNumber, $"broken JSON at byte {((e as JsonException)?.BytePositionInLine ?? 0) + 1}", "every line must be one complete JSON object", e);

    private bool TryParseNext(Utf8LineReader lines, out TraceRequest request)
    {
        if (!lines.TryReadNonBlank(out var line))
        {
            request = default;
            return false;
        }

        var function = -1;
        var startMs = -1L;
        var durationMs = -1L;
        var statusCode = -1L;
        try
        {
            var json = new Utf8JsonReader(line);
            var fields = new Fields(lines.Path, lines.LineNumber);
            fields.ReadStart(ref json);
            while (Fields.ReadName(ref json))
            {
                if (json.ValueTextEquals("metaKey"u8))
                {
                    function = ReadFunction(ref json, fields);
                }
                else if (json.ValueTextEquals("startTime"u8))
                {
                    startMs = fields.ReadInteger(ref json, "startTime", 0, LatestStartMs);
                }
                else if (json.ValueTextEquals("durationsInMs"u8))
                {
                    durationMs = fields.ReadInteger(ref json, "durationsInMs", 0, LongestDurationMs);
                }
                else if (json.ValueTextEquals("statusCode"u8))
                {
                    statusCode = fields.ReadInteger(ref json, "statusCode", 0, 999);
                }
                else
                {
                    json.Read();
                    json.Skip();
                }
            }

            Fields.ReadEnd(ref json);
            fields.Require(function >= 0, "metaKey");
            fields.Require(startMs >= 0, "startTime");
            fields.Require(durationMs >= 0, "durationsInMs");
            fields.Require(statusCode >= 0, "statusCode");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter where a name has an escape that is half a character.
            throw BrokenJson(lines.Path, lines.LineNumber, e);
        }

        request = new TraceRequest(function, startMs * 1000, durationMs * 1000, (int)statusCode);
        return true;
    }

    private int ReadFunction(ref Utf8JsonReader json, Fields fields)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.String)
        {
            throw fields.WrongType(ref json, "metaKey", "a string");
        }

        int function;
        if (!json.ValueIsEscaped && _indexes.TryGet(json.ValueSpan, out function))
        {
            return function;
        }

        var key = fields.ReadText(ref json, "metaKey");
        return _indexes.TryGet(Encoding.UTF8.GetBytes(key), out function)
            ? function
            : throw fields.Error("metaKey", $"\"{key}\" is not the key of any function in metas", "add its function or remove the request");
    }

    /// <summary>Reads the fields of one line's object and words what is wrong with them.</summary>
    private readonly ref struct Fields(string path, long line)
    {
        public void ReadStart(ref Utf8JsonReader json)
        {
            json.Read();
            if (json.TokenType != JsonTokenType.StartObject)
            {
                throw TraceFile.LineError(path, line, "this is not a JSON object", "every line must be one complete JSON object");
            }
        }

        public static bool ReadName(ref Utf8JsonReader json)
        {
            json.Read();
            return json.TokenType == JsonTokenType.PropertyName;
        }

        /// <summary>Nothing but white space may follow the object: the reader itself throws when something does.</summary>
        public static void ReadEnd(ref Utf8JsonReader json) => json.Read();

        public long ReadInteger(ref Utf8JsonReader json, string field, long least, long greatest)
        {
            json.Read();
            if (json.TokenType != JsonTokenType.Number)
            {
                throw WrongType(ref json, field, "a whole number");
            }

            if (!json.TryGetInt64(out var value))
            {
                throw Error(field, $"{Shown(ref json)} is not a whole number in range", $"write one from {least} to {greatest}");
            }

            return value >= least && value <= greatest
                ? value
                : throw Error(field, $"{value} is out of range", $"it must be from {least} to {greatest}");
        }

        public string ReadString(ref Utf8JsonReader json, string field)
        {
            json.Read();
            return json.TokenType == JsonTokenType.String ? ReadText(ref json, field) : throw WrongType(ref json, field, "a string");
        }

        public string ReadText(ref Utf8JsonReader json, string field)
        {
            try
            {
                return json.GetString()!;
            }
            catch (InvalidOperationException)
            {
                throw Error(field, "the text is not valid UTF-8 or has a broken escape", "write it as UTF-8");
            }
        }

        public void Require(bool present, string field)
        {
            if (!present)
            {
                throw Error(field, "it is missing or empty", "every line needs it");
            }
        }

        public TraceFormatException WrongType(ref Utf8JsonReader json, string field, string wanted) =>
            Error(field, $"{Shown(ref json)} is not {wanted}", $"write {wanted}");

        public TraceFormatException Error(string field, string problem, string remedy) =>
            TraceFile.FieldError(path, line, field, problem, remedy);

        private static string Shown(ref Utf8JsonReader json) => json.TokenType switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "an array",
            JsonTokenType.String => $"the string \"{Encoding.UTF8.GetString(json.ValueSpan)}\"",
            _ => Encoding.UTF8.GetString(json.ValueSpan),
        };
    }
}
