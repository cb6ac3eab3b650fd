using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.Tests.State;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Execution;

public sealed class FailureLinesTests
{
    [Fact]
    public void A_kind_of_call_has_so_many_lines_a_minute_and_the_next_minute_says_how_many_were_left_out()
    {
        var time = new ManualTimeProvider();
        var lines = new FailureLines(time);
        var written = Enumerable.Range(0, 100).Count(_ => lines.Take(EffectKind.CreateSlot, out var none) && none == 0);
        Assert.Equal(FailureLines.MostAMinute, written);
        Assert.True(lines.Take(EffectKind.DestroySlot, out _));

        time.Advance(TimeSpan.FromMinutes(1));

        Assert.True(lines.Take(EffectKind.CreateSlot, out var leftOut));
        Assert.Equal(100 - FailureLines.MostAMinute, leftOut);
        Assert.True(lines.Take(EffectKind.CreateSlot, out leftOut));
        Assert.Equal(0, leftOut);
    }

    [Fact]
    public async Task A_platform_that_refuses_everything_does_not_fill_the_log()
    {
        var backend = new FakeBackend(TimeProvider.System) { OnCreate = new FakeAnswer { Failure = new SlotFailure(FailureKind.Permanent, "refused") } };
        var logger = new Typed();
        await using var runtime = new ScalerRuntime(
            backend, PolicyCatalog.Parse("direct"), new ScalerRuntimeOptions { Pool = new SlotPoolOptions { Waiting = false } }, TimeProvider.System, logger);

        for (var i = 0; i < 200; i++)
        {
            var function = new FunctionMeta(new MetaKey($"f{i}"), "go", 60, 128);
            await Assert.ThrowsAsync<AssignRejectedException>(() => runtime.AssignAsync(function, new RequestId("r"), null, CancellationToken.None).AsTask());
        }

        Assert.InRange(logger.Inner.Lines.Count(l => l.Contains("refused", StringComparison.Ordinal) && l.StartsWith("CreateSlot for", StringComparison.Ordinal) && l.Contains("failure:", StringComparison.Ordinal)), 1, 2 * FailureLines.MostAMinute);
    }

    private sealed class Typed : ILogger<ScalerRuntime>
    {
        public ListLogger Inner { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Inner.Log(logLevel, eventId, state, exception, formatter);
    }
}
