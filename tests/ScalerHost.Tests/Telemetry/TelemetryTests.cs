using System.Text.Json;
using System.Text.RegularExpressions;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Telemetry;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Telemetry;

/// <summary>What operators see: that all of docs/how-to/operations.md is sent, and that alerts and the workbook ask for nothing else.</summary>
public sealed partial class TelemetryTests
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);

    [Fact]
    public async Task A_collector_receives_every_documented_metric_and_span()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = NewServer(collector.Address))
        {
            await UseAsync(server);
        }

        Assert.Equal(DocumentedMetrics(), collector.Metrics.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => (m.Key, m.Value)));
        Assert.Superset(new HashSet<string> { "wait", "create", "init", "destroy", "reconcile" }, collector.Spans.Keys.ToHashSet());
    }

    [Fact]
    public async Task Alerts_and_the_workbook_name_metrics_that_are_documented_and_logged()
    {
        var lines = new Lines();
        using var summary = new MetricsSummary(lines, TimeProvider.System);
        await using var server = NewServer(null);
        await UseAsync(server);
        summary.Write();
        var logged = JsonDocument.Parse(lines.All.Single()[(MetricsSummary.Prefix.Length + 1)..]).RootElement.EnumerateObject().Select(p => p.Name).ToHashSet();
        var documented = DocumentedMetrics().Select(m => m.Name).ToList();

        foreach (var file in new[] { "infra/bicep/modules/alerts.bicep", "infra/dashboards/workbook.json" })
        {
            var named = SummaryKey().Matches(Read(file)).Select(m => m.Groups[1].Value).ToHashSet();
            Assert.NotEmpty(named);
            Assert.Empty(named.Except(logged));
            Assert.All(named, n => Assert.Contains(documented, d => n == d || n.StartsWith(d + ".", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task The_summary_shows_counters_by_their_growth_and_the_rest_as_it_is()
    {
        var lines = new Lines();
        using var summary = new MetricsSummary(lines, TimeProvider.System);
        await using var server = NewServer(null);
        var before = Key("funcscaler.backend.calls.create");
        await UseAsync(server);
        var after = Key("funcscaler.backend.calls.create");
        var last = Key("funcscaler.backend.calls.create");

        // Other tests of this process may add to it, never take away.
        Assert.True(after >= 1, $"{before} {after} {last}");
        Assert.True(last >= 0);

        double Key(string name)
        {
            summary.Write();
            return JsonDocument.Parse(lines.All[^1][(MetricsSummary.Prefix.Length + 1)..]).RootElement.GetProperty(name).GetDouble();
        }
    }

    [Theory]
    [InlineData("error-rate")]
    [InlineData("cold-start-share")]
    [InlineData("budget-exhausted")]
    [InlineData("leaked-groups")]
    public void Every_alert_is_explained(string alert)
    {
        Assert.Contains($"id: '{alert}'", Read("infra/bicep/modules/alerts.bicep"), StringComparison.Ordinal);
        Assert.Contains($"### {alert}\n", Read("docs/how-to/operations.md"), StringComparison.Ordinal);
    }

    /// <summary>A cold start, a warm one, a rejection, a release, a slot that nobody owns.</summary>
    private static async Task UseAsync(ScalerServer server)
    {
        var runtime = server.Runtime;
        var first = await runtime.AssignAsync(F, new RequestId("r1"), null, CancellationToken.None);
        runtime.Release(F.Key, new RequestId("r1"), first.Instance, new ReleaseResult(1000, false));
        var second = await runtime.AssignAsync(F, new RequestId("r2"), null, CancellationToken.None);
        await Assert.ThrowsAsync<AssignRejectedException>(async () => await runtime.AssignAsync(
            F with { Key = new MetaKey("refused") }, new RequestId("r3"), null, CancellationToken.None));
        runtime.Release(F.Key, new RequestId("r2"), second.Instance, new ReleaseResult(1000, true));
        Assert.True(await runtime.ReconcileAsync(CancellationToken.None));
    }

    private static ScalerServer NewServer(Uri? collector)
    {
        var backend = new FakeBackend(TimeProvider.System) { Budget = new Generous() };
        backend.NextCreates(FakeAnswer.Success, new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, "no") });
        return new ScalerServer(
            backend,
            new ScalerServerOptions { Policy = new PolicyChoice("prophet", _ => new Prophet()), Otlp = collector },
            TimeProvider.System);
    }

    private static List<(string Name, string Unit)> DocumentedMetrics() =>
        [.. MetricRow().Matches(Read("docs/how-to/operations.md")).Select(m => (m.Groups[1].Value, m.Groups[2].Value)).OrderBy(m => m.Item1, StringComparer.Ordinal)];

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file)).ReplaceLineEndings("\n");

    [GeneratedRegex(@"^\| `(funcscaler\.[\w.]+)` \| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex MetricRow();

    [GeneratedRegex(@"s\[\\?""(funcscaler\.[\w.]+)\\?""\]")]
    private static partial Regex SummaryKey();

    /// <summary>A policy that has something to tell.</summary>
    private sealed class Prophet : IKeepAlivePolicy, IPolicyMetrics
    {
        public long KeepUntilUs(in PoolView pool, in IdleSlot slot) => long.MaxValue;

        public double? PredictArrivalsPerSecond(in PoolView pool) => 2;

        public double? PriceGbsPerSecond(in PoolView pool) => 0.5;
    }

    /// <summary>A budget that grants everything and yet is one.</summary>
    private sealed class Generous : ICallBudget
    {
        public CreateBudget Creates => new(100, 100, 1);

        public bool TryTakeCreate(SlotTicket ticket, FunctionMeta function, out TimeSpan wait)
        {
            wait = default;
            return true;
        }

        public bool TryTakeDestroy(SlotTicket ticket, BackendSlotId slot, out TimeSpan wait)
        {
            wait = default;
            return true;
        }
    }

    private sealed class Lines : ILogger<MetricsSummary>
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Add(formatter(state, exception));
    }
}
