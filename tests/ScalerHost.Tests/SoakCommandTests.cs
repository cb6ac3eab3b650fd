using FuncScaler.Runtime.Soaking;
using FuncScaler.ScalerHost;
using FuncScaler.ScalerHost.Commands;

namespace FuncScaler.Tests;

public sealed class SoakCommandTests
{
    [Fact]
    public async Task The_same_seeds_play_the_same_worlds_and_say_what_was_done()
    {
        var first = await FuncScalerProcess.RunAsync("soak", "--seed", "100", "--schedules", "15");
        var second = await FuncScalerCommand.RunAsync("soak", "--seed", "100", "--schedules", "15");

        Assert.Equal(0, first.ExitCode);
        Assert.StartsWith("seeds from 100 on\n15 worlds: ", first.Output, StringComparison.Ordinal);
        Assert.Contains("  PowerCut ", first.Output, StringComparison.Ordinal);
        Assert.Equal(first.Output, second.Output);
    }

    [Fact]
    public async Task Verbose_tells_what_happens_in_a_world()
    {
        var result = await FuncScalerCommand.RunAsync("soak", "--seed", "7", "--schedules", "1", "--verbose");

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("\nassign f", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_promise_ends_it_and_tells_how_to_repeat_that()
    {
        using var output = new StringWriter();

        var error = Assert.Throws<CommandException>(() => SoakCommand.Run(
            new Soak { Backend = SoakBackend.Aci }, (seed, _) => seed < 42 ? 1UL : throw new SoakException("i-1 was given to 2 requests"), 40, null, TimeSpan.FromHours(1), null, output, TextWriter.Null, CancellationToken.None));

        Assert.Equal(CommandException.Failed, error.ExitCode);
        Assert.Equal("i-1 was given to 2 requests\nTo repeat it: funcscaler soak --seed 42 --schedules 1 --backend aci --verbose", error.Message);
        Assert.Contains("0 worlds: ", output.ToString(), StringComparison.Ordinal);
    }
}
