using FuncScaler.Leasing;
using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using static FuncScaler.Tests.Leasing.Stage;

namespace FuncScaler.Tests.Leasing;

/// <summary>What a policy has learned outlives the process, although no policy knows how to write itself down.</summary>
public class LedgerLearningTests
{
    [Theory]
    [InlineData("hybrid-histogram", true)]
    [InlineData("lsth", true)]
    [InlineData("fft", true)]
    [InlineData("ttl:30", true)]
    [InlineData("adaptive", false)] // Remembers what it has created for, not only what happened: it may create for it again.
    public void A_ledger_that_is_written_and_read_after_every_operation_goes_on_as_one_that_is_not(string policy, bool exactly)
    {
        var stays = new Stage(policy);
        var moves = new Stage(policy);
        var dice = new Dice(7);
        for (var i = 0; i < 120; i++)
        {
            var gapUs = i % 4 == 3 ? 300 * Second : dice.Between(10, 400) * Ms;
            foreach (var stage in new[] { stays, moves })
            {
                Report(stage, i + 1);
            }

            moves.Reload();
            stays.Wait(gapUs);
            moves.Wait(gapUs);
            var (one, other) = (stays.Wake(), moves.Wake());
            Assert.True(one == other || !exactly, $"{one} became {other}");
            moves.Reload();
        }

        Assert.Equal(stays.Ledger.Statistics.Arrivals, moves.Ledger.Statistics.Arrivals);
        Assert.Equal(stays.Ledger.Statistics.GapsOfRank(1)!.Count, moves.Ledger.Statistics.GapsOfRank(1)!.Count);
        Assert.Equal(stays.Ledger.Statistics.GapsOfRank(1)!.QuantileUs(0.9), moves.Ledger.Statistics.GapsOfRank(1)!.QuantileUs(0.9));
        Assert.Equal(stays.Ledger.Statistics.Duration.MeanUs, moves.Ledger.Statistics.Duration.MeanUs);
    }

    [Fact]
    public void A_function_called_every_five_minutes_has_an_instance_created_ahead_even_after_a_restart_of_everything()
    {
        var stage = new Stage("hybrid-histogram");
        var provisions = "";
        for (var i = 0; i < 30; i++)
        {
            Report(stage, i + 1);

            // While a worker lives, creating ahead is the worker's.
            stage.Bury("w");
            stage.Reload();
            var untilUs = stage.NowUs + (300 * Second);
            while (stage.Ledger.NextWakeUs < untilUs)
            {
                stage.Wait(Math.Max(1, stage.Ledger.NextWakeUs - stage.NowUs));
                provisions += stage.Wake();
                stage.Reload();
            }

            stage.Wait(Math.Max(1, untilUs - stage.NowUs));
        }

        Assert.Contains("provision", provisions, StringComparison.Ordinal);
    }

    [Fact]
    public void Rare_long_gaps_outlive_frequent_short_ones_and_the_memory_stays_small()
    {
        var history = new ActivityHistory();
        long nowUs = 0;
        for (var burst = 0; burst < 100; burst++)
        {
            nowUs += 600 * Second;
            for (var i = 0; i < 50; i++)
            {
                nowUs += 20 * Ms;
                history.Add(new ActivityEvent(nowUs, ActivityEvent.Arrival));
                nowUs += 10 * Ms;
                history.Add(new ActivityEvent(nowUs, 10 * Ms));
            }
        }

        Assert.True(history.Events.Count <= ActivityHistory.Capacity);
        var longGaps = 0;
        var active = 0;
        for (var i = 0; i < history.Events.Count; i++)
        {
            var happened = history.Events[i];
            longGaps += happened.Came && active == 0 && i > 0 && happened.AtUs - history.Events[i - 1].AtUs > 500 * Second ? 1 : 0;
            active += happened.Came ? 1 : -1;
        }

        Assert.Equal(0, active);
        Assert.True(longGaps > 25, $"only {longGaps} of the long gaps are left");
        Assert.True(LeasingJson.Write(new LedgerState { History = history }).Length < 5000);
    }

    /// <summary>The ledger is told by all workers how long requests waited; what it makes of that is about more requests than it remembers.</summary>
    [Fact]
    public void What_a_ledger_has_learned_for_a_time_of_the_function_s_own_outlives_the_process()
    {
        var stage = new Stage("adaptive") { Limits = new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) } };
        for (var i = 0; i < 10; i++)
        {
            Report(stage, i + 1, waitedUs: i % 2 * 3 * Second);
            stage.Wait(20 * Second);
        }

        stage.Wake();
        var learned = stage.Ledger.State.Slo;
        Assert.InRange(learned!.Length, 100, 256);

        stage.Reload();
        stage.Wake();
        Assert.Equal(learned, stage.Ledger.State.Slo);

        // A further request counts beside those.
        Report(stage, 11, waitedUs: 3 * Second);
        Assert.NotEqual(learned, stage.Ledger.State.Slo);
        stage.Limits = FunctionLimits.None;
        Report(stage, 12);
        Assert.NotNull(stage.Ledger.State.Slo);
    }

    private static void Report(Stage stage, int sequence, long waitedUs = 0)
    {
        var report = new WorkerReport
        {
            Worker = new WorkerId("w"),
            Sequence = sequence,
            Function = Function,
            FirstOperation = sequence,
            Operations =
            [
                new WorkerOperation
                {
                    Kind = WorkerOperationKind.Activity,
                    Activity = new Activity { CameUs = [90 * Ms], WentUs = [10 * Ms], ExecutedUs = [80 * Ms], WaitedUs = waitedUs > 0 ? [waitedUs] : null },
                },
            ],
        };
        stage.Tell((l, e) => l.Report(stage.NowUs, report, e));
    }
}
