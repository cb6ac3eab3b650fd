using System.Text.Json;
using System.Text.Json.Serialization;
using FuncScaler.ContestSimulator.Traces;

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
    public string ToResultJson() => JsonSerializer.Serialize(ToResult(), ContestJson.Default.ResultDocument);

    /// <summary>The result document together with what was measured besides and what was done wrong, as JSON, indented.</summary>
    public string ToDetailedJson() =>
        JsonSerializer.Serialize(new DetailedDocument(ToResult(), Sent, Measured, Misuses), ContestJson.Default.DetailedDocument);
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

/// <summary>The contest's result document: its fields, in its order. Units and meanings are in docs/contest.md.</summary>
/// <param name="SuccessRate">Percent, 0 to 100.</param>
/// <param name="EndTime">RFC 3339, or "not end yet".</param>
/// <param name="StartTime">RFC 3339; empty before the first run.</param>
/// <param name="InvocationLatencyInSecs">Scheduling, execution and idle time, s.</param>
/// <param name="InvocationScheduleTimeInSecs">What callers waited for Assign, s.</param>
/// <param name="InvocationIdleTimeInSecs">What callers waited for Idle, s.</param>
public sealed record ResultDocument(
    string Id,
    string RequestFilePath,
    string MetaFilePath,
    string StartTime,
    string EndTime,
    long TotalRequestsCount,
    long FailedRequestsCount,
    double SuccessRate,
    double InvocationLatencyInSecs,
    double InvocationExecutionTimeInSecs,
    double InvocationExecutionTimeInGBs,
    double InvocationScheduleTimeInSecs,
    double InvocationIdleTimeInSecs,
    double TotalSlotTimeInGBs,
    long TotalLiveSlotCount,
    double Score)
{
    /// <summary>The <see cref="EndTime"/> of a run that goes on.</summary>
    public const string NotEndYet = "not end yet";

    private const string Rfc3339 = "yyyy-MM-dd'T'HH:mm:ss.fffK";

    /// <summary>Why the figures are partial, or what is missing; left out of the JSON when null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    /// <summary>What is answered before the first run: whoever polls for the end of one goes on polling.</summary>
    public static ResultDocument NoRunYet { get; } =
        new(string.Empty, string.Empty, string.Empty, string.Empty, NotEndYet, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        {
            Error = "no run yet: POST /start begins one",
        };

    internal static ResultDocument Of(RunReport report)
    {
        var score = report.Score;
        return new ResultDocument(
            report.Id,
            report.RequestFilePath,
            report.MetaFilePath,
            Format(report.StartTime),
            report.EndTime is { } end ? Format(end) : NotEndYet,
            score.Requests,
            score.FailedRequests,
            100 * score.SuccessRate,
            score.AssignSeconds + score.ExecutionSeconds + score.IdleSeconds,
            score.ExecutionSeconds,
            score.ExecutionGbSeconds,
            score.AssignSeconds,
            score.IdleSeconds,
            score.SlotGbSeconds,
            report.LiveSlots,
            score.Total)
        {
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
