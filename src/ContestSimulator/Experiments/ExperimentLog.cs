using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>
/// The runs of an experiment that have ended, a JSON line each in <c>runs.jsonl</c>: what is there need not run again. Safe for concurrent use.
/// </summary>
public sealed class ExperimentLog : IDisposable
{
    /// <summary>The file's name.</summary>
    public const string FileName = "runs.jsonl";

    private readonly Dictionary<string, ExperimentRun> _runs = [];
    private readonly StreamWriter? _writer;
    private readonly Lock _lock = new();

    /// <param name="folder">Where the log is, or is to be; null for none.</param>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    public ExperimentLog(string? folder)
    {
        if (folder is null)
        {
            return;
        }

        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, FileName);
        var endsMidLine = false;
        if (File.Exists(path))
        {
            foreach (var line in File.ReadLines(path))
            {
                // A line that was being written when a run was stopped is no run.
                endsMidLine = !TryRead(line);
            }
        }

        _writer = new StreamWriter(path, append: true, new UTF8Encoding(false)) { NewLine = "\n", AutoFlush = true };
        if (endsMidLine)
        {
            _writer.WriteLine();
        }
    }

    /// <summary>A run that has ended before; null where there is none.</summary>
    public ExperimentRun? Find(string key)
    {
        lock (_lock)
        {
            return _runs.GetValueOrDefault(key);
        }
    }

    /// <summary>Enters a run that has ended.</summary>
    public void Add(ExperimentRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        lock (_lock)
        {
            _runs[run.Key] = run;
            _writer?.WriteLine(run.ToJson().ToJsonString());
        }
    }

    public void Dispose() => _writer?.Dispose();

    private bool TryRead(string line)
    {
        try
        {
            if (line.Length > 0)
            {
                var run = ExperimentRun.FromJson(JsonNode.Parse(line)!.AsObject());
                _runs[run.Key] = run;
            }

            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
