using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Scoring;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>One run to be made: a trace under a name.</summary>
/// <param name="Id">The run's name in its results.</param>
/// <param name="Trace">What is replayed.</param>
/// <param name="RequestFilePath">Where the requests came from, for the results; may be empty.</param>
/// <param name="MetaFilePath">Where the functions came from, for the results; may be empty.</param>
public sealed record ContestRun(string Id, ITrace Trace, string RequestFilePath = "", string MetaFilePath = "");

/// <summary>How far a run has come.</summary>
/// <param name="Sent">Requests sent.</param>
/// <param name="Finished">Requests that came to an end, the failed ones included.</param>
/// <param name="Failed">Requests that failed.</param>
/// <param name="LiveSlots">Slots that exist now.</param>
/// <param name="Elapsed">Since the run's start.</param>
/// <param name="LastSentUs">The arrival of the last request sent, µs since the first one's.</param>
public readonly record struct RunProgress(long Sent, long Finished, long Failed, long LiveSlots, TimeSpan Elapsed, long LastSentUs);

/// <summary>What a run has come to, or has come to so far.</summary>
/// <param name="Id">The run's name.</param>
/// <param name="RequestFilePath">Where the requests came from; may be empty.</param>
/// <param name="MetaFilePath">Where the functions came from; may be empty.</param>
/// <param name="StartTime">When it began.</param>
/// <param name="EndTime">When it ended; null while it runs.</param>
/// <param name="Score">The sums and the score, live slots counted up to the end, or up to now.</param>
/// <param name="LiveSlots">Slots that existed at the end, or exist now.</param>
/// <param name="Sent">Requests sent; more than the score's requests where some are on their way, or the run ended early.</param>
/// <param name="Measured">What was measured besides.</param>
/// <param name="Misuses">What the scaler did wrong.</param>
/// <param name="Error">Why the run ended before its trace did, in one sentence; null when it did not. The figures are partial then.</param>
public sealed record RunReport(
    string Id,
    string RequestFilePath,
    string MetaFilePath,
    DateTimeOffset StartTime,
    DateTimeOffset? EndTime,
    Score Score,
    long LiveSlots,
    long Sent,
    RunMeasurements Measured,
    IReadOnlyList<MisuseCount> Misuses,
    string? Error)
{
    /// <summary>The contest's result document.</summary>
    public ResultDocument ToResult() => ResultDocument.Of(this);

    /// <summary>The contest's result document as JSON, indented.</summary>
    public string ToResultJson() => JsonSerializer.Serialize(ToResult(), ReadableJson.Context.ResultDocument);

    /// <summary>The result document together with what was measured besides and what was done wrong, as JSON, indented.</summary>
    public string ToDetailedJson() =>
        JsonSerializer.Serialize(new DetailedDocument(ToResult(), Sent, Measured, Misuses), ReadableJson.Context.DetailedDocument);
}

/// <summary>What is measured besides the score. Calls that failed are in none of the figures.</summary>
public sealed record RunMeasurements
{
    /// <summary>The mean of all Assign calls, ms.</summary>
    public double AssignMeanMs { get; init; }

    /// <summary>The median of all Assign calls, ms.</summary>
    public double AssignP50Ms { get; init; }

    /// <summary>The 95th percentile of all Assign calls, ms.</summary>
    public double AssignP95Ms { get; init; }

    /// <summary>The 99th percentile of all Assign calls, ms.</summary>
    public double AssignP99Ms { get; init; }

    /// <summary>Requests whose instance was initialised and free before they were sent: what their calls take is overhead.</summary>
    public long WarmRequests { get; init; }

    /// <summary>The mean Assign of the warm requests, ms.</summary>
    public double WarmAssignMeanMs { get; init; }

    /// <summary>The mean Idle of the warm requests, ms.</summary>
    public double WarmIdleMeanMs { get; init; }

    /// <summary>Requests that waited for the Init of their instance to end.</summary>
    public long ColdStarts { get; init; }

    /// <summary>Requests that waited for another request to free their instance.</summary>
    public long WaitedForBusy { get; init; }

    /// <summary>The cold starts among them whose slot's creation began after they were sent.</summary>
    public long ColdStartsFromCreation { get; init; }

    /// <summary>The median, over <see cref="ColdStartsFromCreation"/>, of Assign less the function's init duration, ms.</summary>
    public double ColdAssignLessInitP50Ms { get; init; }

    /// <summary>The largest number of slots that existed at one time.</summary>
    public long PeakLiveSlots { get; init; }

    /// <summary>Slots that the run paid for: those created in it, and those it found alive.</summary>
    public long SlotsOfRun { get; init; }

    /// <summary>How late requests were sent, 99th percentile, ms: what the replay itself is worth.</summary>
    public double SendDelayP99Ms { get; init; }
}

/// <summary>The contest's result document: its fields, in its order.</summary>
public sealed record ResultDocument
{
    /// <summary>The <see cref="EndTime"/> of a run that goes on.</summary>
    public const string NotEndYet = "not end yet";

    private const string Rfc3339 = "yyyy-MM-dd'T'HH:mm:ss.fffK";

    /// <summary>The run's name.</summary>
    public string Id { get; init; } = string.Empty;

    /// <summary>Where the requests came from; may be empty.</summary>
    public string RequestFilePath { get; init; } = string.Empty;

    /// <summary>Where the functions came from; may be empty.</summary>
    public string MetaFilePath { get; init; } = string.Empty;

    /// <summary>When the run began, RFC 3339 in UTC; empty before the first run.</summary>
    public string StartTime { get; init; } = string.Empty;

    /// <summary>When it ended, RFC 3339 in UTC, or <see cref="NotEndYet"/>.</summary>
    public string EndTime { get; init; } = NotEndYet;

    /// <summary>Requests that came to an end, the failed ones included.</summary>
    public long TotalRequestsCount { get; init; }

    /// <summary>Requests that failed.</summary>
    public long FailedRequestsCount { get; init; }

    /// <summary>The share of requests that did not fail, percent, 0 to 100; 100 when there was none.</summary>
    public double SuccessRate { get; init; }

    /// <summary>Scheduling, execution and idle time together, s.</summary>
    public double InvocationLatencyInSecs { get; init; }

    /// <summary>Execution of the requests that were served, s.</summary>
    public double InvocationExecutionTimeInSecs { get; init; }

    /// <summary>The same times the functions' memory, GB·s.</summary>
    public double InvocationExecutionTimeInGBs { get; init; }

    /// <summary>What the callers of served requests waited for Assign, s.</summary>
    public double InvocationScheduleTimeInSecs { get; init; }

    /// <summary>What the callers of served requests waited for Idle, s.</summary>
    public double InvocationIdleTimeInSecs { get; init; }

    /// <summary>Memory times the life of the slots, GB·s; live slots up to the end of the run, or up to now.</summary>
    public double TotalSlotTimeInGBs { get; init; }

    /// <summary>Slots that existed at the end of the run, or exist now.</summary>
    public long TotalLiveSlotCount { get; init; }

    /// <summary>The score, 0 to 100.</summary>
    public double Score { get; init; }

    /// <summary>Why the figures are partial, or what is missing; left out of the JSON when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    /// <summary>What is answered before the first run: whoever polls for the end of one goes on polling.</summary>
    public static ResultDocument NoRunYet { get; } = new() { Error = "no run yet: POST /start begins one" };

    internal static ResultDocument Of(RunReport report)
    {
        var score = report.Score;
        return new ResultDocument
        {
            Id = report.Id,
            RequestFilePath = report.RequestFilePath,
            MetaFilePath = report.MetaFilePath,
            StartTime = Format(report.StartTime),
            EndTime = report.EndTime is { } end ? Format(end) : NotEndYet,
            TotalRequestsCount = score.Requests,
            FailedRequestsCount = score.FailedRequests,
            SuccessRate = score.Requests == 0 ? 100 : 100.0 * (score.Requests - score.FailedRequests) / score.Requests,
            InvocationLatencyInSecs = score.AssignSeconds + score.ExecutionSeconds + score.IdleSeconds,
            InvocationExecutionTimeInSecs = score.ExecutionSeconds,
            InvocationExecutionTimeInGBs = score.ExecutionGbSeconds,
            InvocationScheduleTimeInSecs = score.AssignSeconds,
            InvocationIdleTimeInSecs = score.IdleSeconds,
            TotalSlotTimeInGBs = score.SlotGbSeconds,
            TotalLiveSlotCount = report.LiveSlots,
            Score = score.Total,
            Error = report.Error,
        };
    }

    private static string Format(DateTimeOffset time) =>
        time.UtcDateTime.ToString(Rfc3339, System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>The result document with everything else a run's report knows.</summary>
internal sealed record DetailedDocument(ResultDocument Result, long Sent, RunMeasurements Measured, IReadOnlyList<MisuseCount> Misuses);

/// <summary>What POST /start takes.</summary>
internal sealed record StartDocument(string? Id, string? RequestFilePath, string? MetaFilePath);

/// <summary>What POST /start answers.</summary>
internal sealed record StartedDocument(string Id);

/// <summary>Any refusal.</summary>
internal sealed record ErrorDocument(string Error);

[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    WriteIndented = true,
    NumberHandling = JsonNumberHandling.Strict,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ResultDocument))]
[JsonSerializable(typeof(DetailedDocument))]
[JsonSerializable(typeof(StartDocument))]
[JsonSerializable(typeof(StartedDocument))]
[JsonSerializable(typeof(ErrorDocument))]
internal sealed partial class ContestJson : JsonSerializerContext;

/// <summary>The same with quotes as quotes: what it writes is read by people, and never embedded in HTML.</summary>
internal static class ReadableJson
{
    public static ContestJson Context { get; } = new(new JsonSerializerOptions(ContestJson.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = null,
    });
}
