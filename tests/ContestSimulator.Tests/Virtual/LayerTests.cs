using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

public sealed class LayerTests
{
    // No wire and no calls; create 0.1 s, init 1 s, memory 1 GB.
    private static readonly VirtualOptions Plain = new() { PlatformRpcUs = 0, AssignRpcUs = 0, IdleRpcUs = 0, TailUs = 0 };

    // f's instance is ready at 1.1 s, executes to 2.1 s, and is kept 60 s. Then it is a language layer for 60 s (to 122.1 s), then a bare one for 60 s.
    // g at 100 s takes the language layer: no create, and half of the init: it waits 0.5 s. At 150 s it would have found a bare one: all of the init.
    [Theory]
    [InlineData("rainbowcake", 100, 1.1 + 0.5)]
    [InlineData("rainbowcake", 150, 1.1 + 1.0)]
    [InlineData("rainbowcake", 200, 1.1 + 1.1)]
    [InlineData("rainbowcake:init=0.2", 100, 1.1 + 0.2)]
    [InlineData("pagurus", 100, 1.1 + 1.0)] // lent 5 s after the request, for 15 minutes
    [InlineData("pagurus", 904, 1.1 + 1.0)]
    [InlineData("pagurus", 906, 1.1 + 1.1)]
    [InlineData("pagurus:60", 100, 1.1 + 1.1)]
    [InlineData("ttl:60", 100, 1.1 + 1.1)]
    public void A_layer_saves_the_next_function_what_it_has(string policy, int secondAtSeconds, double waitSeconds)
    {
        var result = Run(policy, Plain, ("f", 0), ("g", secondAtSeconds));

        Assert.Equal(waitSeconds, result.WaitSeconds, 6);
        Assert.Equal(2, result.SlotsCreated);
    }

    // 62.1 s of slot and 120 s of layers for f, where nobody takes them; the run ends 200 s after the last release.
    [Theory]
    [InlineData("rainbowcake", 62.1 + 120)]
    [InlineData("rainbowcake:language=0.5,bare=0.1", 62.1 + 30 + 6)]
    [InlineData("pagurus:100", 5 + 100)]
    [InlineData("ttl:60", 62.1)]
    public void Layers_are_paid_for_until_they_go(string policy, double gbSeconds)
    {
        var result = Run(policy, Plain with { TailUs = 200_000_000 }, ("f", 0));

        Assert.Equal(gbSeconds, result.Score.SlotGbSeconds, 6);
        Assert.Equal(gbSeconds, result.Functions.Sum(f => f.SlotGbSeconds), 6);
    }

    // f's layer is taken at 100 s: it was one from 62.1 s on. What is left of g: 0.5 s of init, 1 s of execution.
    [Fact]
    public void A_layer_that_is_taken_is_paid_for_until_then()
    {
        var result = Run("rainbowcake", Plain, ("f", 0), ("g", 100));

        Assert.Equal(100 + 1.5, result.Score.SlotGbSeconds, 6);
    }

    // A slot of another size, or of another runtime while the layer is the language's, is of no use.
    [Theory]
    [InlineData(2048, "go", 100, 1.1)]
    [InlineData(1024, "python", 100, 1.1)]
    [InlineData(1024, "python", 150, 1.0)]
    [InlineData(1024, "go", 100, 0.5)]
    public void A_layer_fits_its_memory_and_as_a_language_its_runtime(int memoryMb, string runtime, int atSeconds, double waitSeconds)
    {
        TraceFunction[] functions =
        [
            new(new FunctionMeta(new MetaKey("f"), "go", 10, 1024), 1_000_000), new(new FunctionMeta(new MetaKey("g"), runtime, 10, memoryMb), 1_000_000),
        ];
        var trace = new ListTrace(functions, [ListTrace.Request(0, 1000), ListTrace.Request(atSeconds * 1000, 1000, function: 1)]);

        var result = VirtualContest.Run(trace, PolicyCatalog.Parse("rainbowcake"), Plain);

        Assert.Equal(waitSeconds, result.Functions[1].WaitSeconds, 6);
    }

    // Four requests of f at once, then one a second, each of which executes for a second. Of its instances f can spare one, because the others serve
    // within a second in more than 95 % of all cases; never in all cases. g at 20.5 s starts from what was lent, or needs a create.
    [Theory]
    [InlineData("pagurus", 1.0)]
    [InlineData("pagurus:aim=1", 1.1)]
    public void An_instance_is_lent_where_the_others_suffice(string policy, double waitSeconds)
    {
        var trace = new ListTrace(
            [ListTrace.Function("f", 1024, 1000), ListTrace.Function("g", 1024, 1000)],
            [
                .. Enumerable.Repeat(ListTrace.Request(0, 1000), 4),
                .. Enumerable.Range(1, 20).Select(s => ListTrace.Request(s * 1000, 1000)),
                ListTrace.Request(20_500, 1000, function: 1),
            ]);

        var result = VirtualContest.Run(trace, PolicyCatalog.Parse(policy), Plain);

        Assert.Equal(waitSeconds, result.Functions[1].WaitSeconds, 6);
    }

    private static VirtualResult Run(string policy, VirtualOptions options, params (string Function, int AtSeconds)[] requests)
    {
        string[] keys = [.. requests.Select(r => r.Function).Distinct()];
        var trace = new ListTrace(
            [.. keys.Select(k => ListTrace.Function(k, 1024, 1000))],
            [.. requests.Select(r => ListTrace.Request(r.AtSeconds * 1000, 1000, Array.IndexOf(keys, r.Function)))]);
        return VirtualContest.Run(trace, PolicyCatalog.Parse(policy), options);
    }
}
