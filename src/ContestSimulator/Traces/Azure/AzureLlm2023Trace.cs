using FuncScaler.ContestSimulator.Traces.Tables;

namespace FuncScaler.ContestSimulator.Traces.Azure;

/// <summary>
/// The Azure LLM inference trace of 2023 (Microsoft, CC-BY 4.0): a CSV file with the columns <c>TIMESTAMP</c>, <c>ContextTokens</c> and
/// <c>GeneratedTokens</c>, plain or gzip. All requests are of one function. The data have no durations: they follow from the tokens.
/// </summary>
public static class AzureLlm2023Trace
{
    /// <summary>Opens the file, and reads it once.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How tokens become durations.</param>
    /// <param name="defaults">Memory and init of the function.</param>
    /// <exception cref="TraceFormatException">The file is missing or malformed.</exception>
    public static TableTrace Open(string path, LlmDurations? options = null, TableDefaults? defaults = null)
    {
        TraceFile.Require(path, "the requests");
        options ??= new LlmDurations();
        return new TableTrace("azure-llm-" + Path.GetFileName(path).Split('.')[0], () => new Rows(path, options), defaults ?? new TableDefaults());
    }

    private sealed class Rows : IRequestRows
    {
        private const double MostTokens = 1e9;

        private readonly LlmDurations _durations;
        private readonly CsvTrace.Rows _times;
        private readonly Utf8CsvReader _csv;
        private readonly int _context;
        private readonly int _generated;

        public Rows(string path, LlmDurations durations)
        {
            _durations = durations;
            _times = CsvTrace.Rows.Open(path, new ColumnMap { Key = [], Start = "TIMESTAMP" }, new TableDefaults { DurationMs = 0 });
            _csv = _times.Csv;
            try
            {
                _context = _csv.Column("ContextTokens");
                _generated = _csv.Column("GeneratedTokens");
            }
            catch
            {
                _times.Dispose();
                throw;
            }
        }

        public ReadOnlySpan<byte> Key => "llm"u8;

        public TraceFormatException Error(string problem, string remedy) => _times.Error(problem, remedy);

        public bool TryRead(out RequestRow row)
        {
            if (!_times.TryRead(out row))
            {
                return false;
            }

            var ms = _durations.BaseMs
                + (_durations.PerContextTokenMs * _csv.Number(_context, 0, MostTokens))
                + (_durations.PerGeneratedTokenMs * _csv.Number(_generated, 0, MostTokens));
            row = row with { DurationUs = (long)Math.Round(ms * 1000) };
            return true;
        }

        public void Dispose() => _times.Dispose();
    }
}

/// <summary>The execution of a request to a language model: a + b per generated token + c per token of the prompt.</summary>
public sealed record LlmDurations
{
    /// <summary>What each request takes, ms, from 0.</summary>
    /// <value>The default is 100 ms, which is ours.</value>
    public double BaseMs { get; init; } = 100;

    /// <summary>What each generated token takes, ms, from 0.</summary>
    /// <value>The default is 30 ms, which is ours.</value>
    public double PerGeneratedTokenMs { get; init; } = 30;

    /// <summary>What each token of the prompt takes, ms, from 0.</summary>
    /// <value>The default is 0.1 ms, which is ours.</value>
    public double PerContextTokenMs { get; init; } = 0.1;
}
