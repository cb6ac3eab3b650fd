using System.Text.Json;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Scoring;

namespace FuncScaler.Tests.Platform;

public sealed class ResultDocumentTests
{
    private static readonly string[] ContestFields =
    [
        "id", "requestFilePath", "metaFilePath", "startTime", "endTime", "totalRequestsCount", "failedRequestsCount", "successRate",
        "invocationLatencyInSecs", "invocationExecutionTimeInSecs", "invocationExecutionTimeInGBs", "invocationScheduleTimeInSecs",
        "invocationIdleTimeInSecs", "totalSlotTimeInGBs", "totalLiveSlotCount", "score",
    ];

    private static readonly RunReport Report = new(
        "run 7",
        "/data/requests",
        "/data/metas",
        new DateTimeOffset(2026, 1, 2, 5, 4, 5, 6, TimeSpan.FromHours(2)),
        new DateTimeOffset(2026, 1, 2, 3, 14, 5, TimeSpan.Zero),
        new Score(4000, 1, 20, 80, 300, 60, 40),
        LiveSlots: 3,
        Sent: 4001,
        new RunMeasurements { ColdStarts = 12, AssignP99Ms = 1.5 },
        [new MisuseCount(Misuse.InitTwice, 2, "Init of slot \"s\"")],
        Error: null);

    [Fact]
    public void The_result_has_the_contests_fields_in_its_order()
    {
        using var json = JsonDocument.Parse(Report.ToResultJson());
        Assert.Equal(ContestFields, json.RootElement.EnumerateObject().Select(field => field.Name));
    }

    [Fact]
    public void The_fields_have_their_units()
    {
        using var json = JsonDocument.Parse(Report.ToResultJson());
        var values = json.RootElement.EnumerateObject().Select(field => field.Value.ToString());
        Assert.Equal(
            [
                "run 7", "/data/requests", "/data/metas", "2026-01-02T03:04:05.006Z", "2026-01-02T03:14:05.000Z", "4000", "1", "99.975",
                "400", "300", "20", "60", "40", "80", "3", "50",
            ],
            values);
    }

    [Fact]
    public void A_run_that_goes_on_has_not_ended_yet() =>
        Assert.Equal("not end yet", (Report with { EndTime = null }).ToResult().EndTime);

    [Fact]
    public void An_early_end_adds_its_reason_and_nothing_else_changes()
    {
        using var json = JsonDocument.Parse((Report with { Error = "ended early" }).ToResultJson());
        Assert.Equal([.. ContestFields, "error"], json.RootElement.EnumerateObject().Select(field => field.Name));
        Assert.Equal("ended early", json.RootElement.GetProperty("error").GetString());
    }

    [Fact]
    public void Quotes_stay_readable() =>
        Assert.Contains("""no \"id\" field""", (Report with { Error = "no \"id\" field" }).ToResultJson(), StringComparison.Ordinal);

    [Fact]
    public void Too_many_failures_leave_no_score() =>
        Assert.Equal(0, (Report with { Score = Report.Score with { FailedRequests = 3 } }).ToResult().Score);

    [Fact]
    public void The_detailed_document_has_the_result_the_measurements_and_the_misuses()
    {
        using var json = JsonDocument.Parse(Report.ToDetailedJson());
        Assert.Equal(50, json.RootElement.GetProperty("result").GetProperty("score").GetDouble());
        Assert.Equal(12, json.RootElement.GetProperty("measured").GetProperty("coldStarts").GetInt64());
        Assert.Equal("InitTwice", json.RootElement.GetProperty("misuses")[0].GetProperty("kind").GetString());
    }
}
