using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.Aci;

/// <summary>Containers that end, or talk for ever, in groups that stand as if nothing were the matter.</summary>
public class AciEndedTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(137)]
    public async Task An_instance_whose_container_has_ended_is_listed_no_more_and_its_group_is_to_be_deleted(int exitCode)
    {
        await using var world = await AciWorld.StartAsync();
        var (ended, running) = (await RunAsync(world, 1), await RunAsync(world, 2));
        world.Fake.End(ended.Value, exitCode);

        var listed = await world.ListAsync(AciWorld.Known(1, ended), AciWorld.Known(2, running, SlotState.Busy));
        var next = await world.ListAsync(AciWorld.Known(2, running, SlotState.Busy));

        Assert.Equal([running], listed.Select(l => l.Id));
        Assert.Null(Assert.Single(next, l => l.Id == ended).Function);
    }

    [Fact]
    public async Task A_former_runs_group_whose_container_has_ended_is_not_adopted()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await RunAsync(world, 1);
        world.Fake.End(slot.Value, 1);
        await using var successor = world.NewRun();

        var listed = await world.DriveAsync(successor.ListAsync([], CancellationToken.None));

        Assert.Null(Assert.Single(listed!).Function);
    }

    [Fact]
    public async Task An_instance_that_cannot_be_looked_at_is_not_taken_for_ended()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await RunAsync(world, 1);
        world.Fake.End(slot.Value, 1);
        world.Fake.Gets.Enqueue(ArmFault.Throttled(1));

        Assert.Equal([slot], (await world.ListAsync(AciWorld.Known(1, slot))).Select(l => l.Id));
        Assert.Empty(await world.ListAsync(AciWorld.Known(1, slot)));
    }

    [Fact]
    public async Task One_list_looks_at_so_many_instances_and_the_next_at_the_others()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.MaxGroupsPerRegion = 1000;
        var known = new List<SlotSnapshot>();
        for (var i = 1; i <= 120; i++)
        {
            known.Add(AciWorld.Known(i, await world.CreateAsync(i)));
        }

        world.Fake.Calls.Clear();
        await world.ListAsync([.. known]);
        Assert.Equal(100, world.Fake.Calls.Count(c => c.StartsWith("GET ", StringComparison.Ordinal)) - 1);
        world.Fake.Calls.Clear();
        foreach (var slot in known)
        {
            world.Fake.End(slot.BackendId.Value, 0);
        }

        var left = (await world.ListAsync([.. known])).Select(l => l.Id).ToHashSet();
        var last = await world.ListAsync([.. known.Where(k => left.Contains(k.BackendId))]);

        Assert.Equal(20, left.Count);
        Assert.DoesNotContain(last, l => left.Contains(l.Id));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_container_that_ends_before_it_is_ready_is_said_to_without_waiting_for_it(int exitCode)
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        world.Fake.End(slot.Value, exitCode);

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => world.DriveAsync(world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None)));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Contains($"its container ended with exit code {exitCode} before it was ready; a function must keep running", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_to_init_that_never_ends_is_not_read_to_its_end()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        world.Fake.InitNeverEnds = true;

        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None));

        Assert.StartsWith("POST /init was answered 500 xxx", e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 500, 600);
    }

    [Theory]
    [InlineData("Never", "Running", "Running", null, null)]
    [InlineData("Never", null, null, null, null)]
    [InlineData("Never", "Succeeded", "Terminated", 0, "its container ended with exit code 0")]
    [InlineData("Never", "Failed", "Terminated", 137, "its container ended with exit code 137")]
    [InlineData("Never", "Succeeded", null, null, "its containers are Succeeded")]
    [InlineData("OnFailure", "Running", "Terminated", 1, null)]
    [InlineData("OnFailure", "Succeeded", "Terminated", 0, "its container ended with exit code 0")]
    [InlineData("Always", "Running", "Terminated", 0, null)]
    [InlineData("Always", "Stopped", "Terminated", 0, "it was stopped")]
    public void Whether_a_container_has_ended_for_good_follows_from_its_groups_restart_policy(
        string policy, string? group, string? container, int? exitCode, string? ended)
    {
        Assert.Equal(ended, ContainerGroupInfo.EndOf(policy, group, [(container, exitCode, "Completed")]));
    }

    [Theory]
    [InlineData("a\r\nb\u001b[31mred\u001b[0m\u0007\u202e c", "a bred c")]
    [InlineData("\u001b]0;title\u0007plain", "plain")]
    [InlineData("  ", "")]
    [InlineData("0123456789012345678901234567890123456789", "01234567890123456789012345678901…")]
    public void Words_from_outside_are_one_short_line_without_control_characters(string said, string kept)
    {
        Assert.Equal(kept, RemoteWords.Clean(said, 32));
    }

    private static async Task<BackendSlotId> RunAsync(AciWorld world, long ticket)
    {
        var slot = await world.CreateAsync(ticket);

        // The fake answers in real time: the clock stands still meanwhile, so that no look takes too long.
        await world.Backend.InitAsync(slot, new InstanceId($"i-{ticket}"), AciWorld.Function, CancellationToken.None);
        return slot;
    }
}
