using System.Text.Json;
using System.Text.RegularExpressions;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.Tests.Telemetry;

/// <summary>What operators see: that all of docs/how-to/operations.md is sent, and that alerts and the workbook ask for nothing else.</summary>
public sealed partial class TelemetryTests
{
    private static readonly HashSet<string> Spans = ["wait", "create", "init", "destroy", "reconcile"];

    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 512);

    [Fact]
    public async Task A_collector_receives_every_documented_metric_and_span()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var server = await StartAsync(collector: collector.Address))
        {
            await UseAsync(server);
        }

        Assert.Equal(DocumentedMetrics(), collector.Metrics.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => (m.Key, m.Value)));
        Assert.Superset(Spans, collector.Spans.Keys.ToHashSet());
    }

    [Fact]
    public async Task Azure_Monitor_receives_every_documented_metric_and_warning_and_no_line_of_metrics()
    {
        await using var azure = await IngestionEndpoint.StartAsync();
        await using (var server = await StartAsync(azure: azure.ConnectionString))
        {
            await UseAsync(server);
        }

        Assert.Equal(DocumentedMetrics().Select(m => m.Name), azure.Metrics.Keys.Where(m => m.StartsWith("funcscaler.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        // The exporter limits traces by the second: which of them come is chance.
        Assert.Subset(Spans, azure.Spans.Keys.ToHashSet());
        Assert.Contains(azure.Lines, l => l.Contains("refused", StringComparison.Ordinal));
        Assert.DoesNotContain(azure.Lines, l => l.Contains("funcscaler.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Alerts_and_the_workbook_ask_for_metrics_and_tags_that_Azure_Monitor_receives()
    {
        await using var azure = await IngestionEndpoint.StartAsync();
        await using (var server = await StartAsync(azure: azure.ConnectionString))
        {
            await UseAsync(server);
        }

        var workbook = JsonDocument.Parse(Read("infra/dashboards/workbook.json")).RootElement.GetProperty("items").EnumerateArray()
            .Where(i => i.GetProperty("type").GetInt32() == 3).Select(i => i.GetProperty("content").GetProperty("query").GetString()!).ToList();
        var alerts = Read("infra/bicep/modules/alerts.bicep");
        foreach (var query in workbook.Append(alerts))
        {
            var named = MetricName().Matches(query).Select(m => m.Groups[1].Value).Where(n => n != "funcscaler.").ToHashSet();
            Assert.NotEmpty(named);
            Assert.All(named, n => Assert.Contains(n, azure.Metrics.Keys));

            // A tag that is asked for is one of a metric that is named beside it.
            foreach (var tag in TagName().Matches(query).Select(m => m.Groups[1].Value))
            {
                Assert.Contains(named, n => azure.Metrics[n].Keys.Any(t => t.StartsWith(tag + "=", StringComparison.Ordinal)));
            }
        }

        var values = TagValue().Matches(alerts + string.Concat(workbook));
        Assert.NotEmpty(values);
        Assert.All(values, v => Assert.Contains($"{v.Groups[2].Value}={v.Groups[3].Value}", azure.Metrics[v.Groups[1].Value].Keys));
    }

    [Fact]
    public async Task Without_a_connection_string_nothing_is_sent_and_one_that_is_none_is_refused_with_a_sentence()
    {
        var services = new ServiceCollection();
        Assert.Null(services.AddTelemetryExport(new ConfigurationBuilder().Build()));
        Assert.Empty(services);

        var refused = await Assert.ThrowsAsync<CommandException>(() => StartAsync(azure: "IngestionEndpoint=http://127.0.0.1:1/"));
        Assert.Contains("has no InstrumentationKey=", refused.Message, StringComparison.Ordinal);
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

    private static async Task<ScalerServer> StartAsync(Uri? collector = null, string? azure = null)
    {
        var backend = new FakeBackend(TimeProvider.System) { Budget = new Generous() };
        backend.NextCreates(FakeAnswer.Success, new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, "no") });
        var server = new ScalerServer(
            backend,
            new ScalerServerOptions { GrpcPort = 0, HttpPort = 0, Policy = new PolicyChoice("prophet", _ => new Prophet()), Otlp = collector, AzureMonitor = azure },
            TimeProvider.System);
        await server.StartAsync(CancellationToken.None);
        return server;
    }

    private static List<(string Name, string Unit)> DocumentedMetrics() =>
        [.. MetricRow().Matches(Read("docs/how-to/operations.md")).Select(m => (m.Groups[1].Value, m.Groups[2].Value)).OrderBy(m => m.Item1, StringComparer.Ordinal)];

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file)).ReplaceLineEndings("\n");

    [GeneratedRegex(@"^\| `(funcscaler\.[\w.]+)` \| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex MetricRow();

    [GeneratedRegex(@"""(funcscaler\.[\w.]*)""")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"Properties\.(\w+)")]
    private static partial Regex TagName();

    [GeneratedRegex(@"Name == ""(funcscaler\.[\w.]+)"" and tostring\(Properties\.(\w+)\) == ""(\w+)""")]
    private static partial Regex TagValue();

    /// <summary>A policy that has something to tell.</summary>
    private sealed class Prophet : IKeepAlivePolicy, IPolicyMetrics
    {
        public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.HoldForGood;

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
}
