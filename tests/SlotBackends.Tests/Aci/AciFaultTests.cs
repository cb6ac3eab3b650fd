using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.Aci;

/// <summary>What the ACI backend makes of every way in which Resource Manager can fail.</summary>
public class AciFaultTests
{
    [Fact]
    public async Task A_create_that_meets_server_errors_is_tried_again_after_what_the_platform_asks()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(ArmFault.Error(503) with { RetryAfter = 7 });
        world.Fake.Puts.Enqueue(ArmFault.Error(500));

        var slot = await world.CreateAsync(1);

        Assert.Equal(slot.Value, Assert.Single(world.Fake.Groups).Id);
        Assert.True(world.Fake.Now >= TimeSpan.FromSeconds(7), $"{world.Fake.Now}");
    }

    [Fact]
    public async Task A_create_that_meets_server_errors_only_has_an_unknown_outcome()
    {
        await using var world = await AciWorld.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            world.Fake.Puts.Enqueue(ArmFault.Error(500) with { TakesEffect = i == 2 });
        }

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal((FailureKind.Transient, true), (failure.Kind, failure.OutcomeUnknown));
        Assert.Single(world.Fake.Groups);
        Assert.True(await world.DestroyAsync(1));
        Assert.Empty(world.Fake.Groups);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    public async Task A_create_whose_answer_is_lost_is_repeated_by_name_and_makes_one_group(int provisioningSeconds)
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Provisioning = TimeSpan.FromSeconds(provisioningSeconds);
        world.Fake.Puts.Enqueue(new ArmFault { CutsConnection = true, TakesEffect = true });

        var slot = await world.CreateAsync(1);

        var group = Assert.Single(world.Fake.Groups);
        Assert.Equal((slot.Value, "Succeeded"), (group.Id, group.StateAt(world.Fake.Now)));
    }

    [Fact]
    public async Task A_throttled_create_is_reported_with_the_pause_and_the_budget_keeps_it()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(ArmFault.Throttled(17));

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal((FailureKind.Throttled, false, 17_000_000), (failure.Kind, failure.OutcomeUnknown, failure.RetryAfterUs));
        Assert.False(world.Backend.Budget.TryTakeCreate(new SlotTicket(2), AciWorld.Function, out var wait));
        Assert.InRange(wait.TotalSeconds, 16.9, 17);
        Assert.Empty(world.Fake.Groups);
        ((ManualTimeProvider)world.Time).Advance(TimeSpan.FromSeconds(17));
        await world.CreateAsync(1);
    }

    [Fact]
    public async Task A_slow_provisioning_is_waited_for_at_the_pace_the_platform_asks()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Provisioning = TimeSpan.FromSeconds(95);
        world.Fake.PollRetryAfter = 10;

        await world.CreateAsync(1);

        Assert.InRange(world.Fake.Now.TotalSeconds, 95, 105);
        Assert.InRange(world.Fake.Calls.Count(c => c.StartsWith("GET", StringComparison.Ordinal)), 10, 12);
    }

    [Fact]
    public async Task A_poll_that_is_throttled_or_fails_does_not_end_the_create()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Provisioning = TimeSpan.FromSeconds(30);
        world.Fake.Polls.Enqueue(ArmFault.Throttled(9));
        world.Fake.Polls.Enqueue(ArmFault.Error(502));
        world.Fake.Polls.Enqueue(new ArmFault { CutsConnection = true });

        await world.CreateAsync(1);

        Assert.Equal("Succeeded", Assert.Single(world.Fake.Groups).StateAt(world.Fake.Now));
    }

    [Fact]
    public async Task A_provisioning_that_is_stuck_is_given_up_and_can_be_deleted_by_its_ticket()
    {
        await using var world = await AciWorld.StartAsync(o => o with { ProvisionTimeout = TimeSpan.FromMinutes(2) });
        world.Fake.Puts.Enqueue(new ArmFault { Provisioning = Timeout.InfiniteTimeSpan });

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal((FailureKind.Transient, true), (failure.Kind, failure.OutcomeUnknown));
        Assert.InRange(world.Fake.Now.TotalSeconds, 120, 130);
        Assert.Single(world.Fake.Groups);
        Assert.True(await world.DestroyAsync(1));
        Assert.Empty(world.Fake.Groups);
    }

    [Fact]
    public async Task A_provisioning_that_fails_is_refused_for_good_with_the_reason_and_half_exists()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(new ArmFault { Provisioning = TimeSpan.FromSeconds(5), ProvisioningError = "InaccessibleImage" });

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal((FailureKind.Permanent, true), (failure.Kind, failure.OutcomeUnknown));
        Assert.Contains("InaccessibleImage", failure.Message, StringComparison.Ordinal);
        Assert.Single(world.Fake.Groups);
        Assert.True(await world.DestroyAsync(1));
        Assert.Empty(world.Fake.Groups);
    }

    [Theory]
    [InlineData(409, "ContainerGroupQuotaReached")]
    [InlineData(409, "ServiceUnavailable")]
    [InlineData(503, "ServiceUnavailable")]
    public async Task A_region_without_room_is_passed_over_for_the_next_one(int status, string code)
    {
        await using var world = await AciWorld.StartAsync(o => o with { Places = [.. o.Places, new AciPlace("slots-2", "northeurope")] });
        world.Fake.Puts.Enqueue(ArmFault.Error(status, code));

        Assert.Equal(FailureKind.Throttled, (await world.CreateFailsAsync(1)).Kind);
        var slot = await world.CreateAsync(1);

        Assert.StartsWith("slots-2/", slot.Value, StringComparison.Ordinal);
        ((ManualTimeProvider)world.Time).Advance(TimeSpan.FromMinutes(1));
        Assert.StartsWith("slots/", (await world.CreateAsync(2)).Value, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Room_that_ends_while_provisioning_passes_the_region_over_and_deletes_what_half_exists()
    {
        await using var world = await AciWorld.StartAsync(o => o with { Places = [.. o.Places, new AciPlace("slots-2", "northeurope")] });
        world.Fake.Puts.Enqueue(new ArmFault { Provisioning = TimeSpan.FromSeconds(5), ProvisioningError = "ServiceUnavailable" });

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal((FailureKind.Throttled, true), (failure.Kind, failure.OutcomeUnknown));
        Assert.True(await world.DestroyAsync(1));
        Assert.StartsWith("slots-2/", (await world.CreateAsync(2)).Value, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task A_scaler_without_the_right_to_create_is_told_which_role_it_lacks(int status)
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(ArmFault.Error(status, "AuthorizationFailed"));

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal(FailureKind.Permanent, failure.Kind);
        Assert.Contains("Azure Container Instances Contributor", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_resource_group_that_does_not_exist_is_named()
    {
        await using var world = await AciWorld.StartAsync(o => o with { Places = [new AciPlace("nowhere", "westeurope")] });

        var failure = await world.CreateFailsAsync(1);

        Assert.Equal(FailureKind.Permanent, failure.Kind);
        Assert.Contains("'nowhere' could not be found", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_delete_is_followed_to_its_end_through_errors()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Deleting = TimeSpan.FromSeconds(40);
        var slot = await world.CreateAsync(1);
        world.Fake.Deletes.Enqueue(ArmFault.Error(500));
        world.Fake.Deletes.Enqueue(new ArmFault { CutsConnection = true, TakesEffect = true });

        Assert.True(await world.DestroyAsync(1, slot));

        Assert.Empty(world.Fake.Groups);
        Assert.True(world.Fake.Now >= TimeSpan.FromSeconds(40));
    }

    [Fact]
    public async Task A_delete_in_the_middle_of_a_change_is_to_be_tried_again()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        world.Fake.Deletes.Enqueue(ArmFault.Error(409, "ContainerGroupTransitioning"));

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => world.DestroyAsync(1, slot));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.True(await world.DestroyAsync(1, slot));
    }

    [Fact]
    public async Task A_throttled_delete_empties_the_budget_of_deletes_only()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        world.Fake.Deletes.Enqueue(ArmFault.Throttled(40));

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => world.DestroyAsync(1, slot));

        Assert.Equal(FailureKind.Throttled, e.Failure.Kind);
        Assert.False(world.Backend.Budget.TryTakeDestroy(new SlotTicket(1), slot, out var wait));
        Assert.InRange(wait.TotalSeconds, 39, 40);
        await world.CreateAsync(2);
    }

    [Fact]
    public async Task A_list_that_cannot_be_had_is_a_failure_and_no_empty_list()
    {
        await using var world = await AciWorld.StartAsync(o => o with { MaxRetries = 0 });
        world.Fake.Lists.Enqueue(ArmFault.Error(503));
        world.Fake.Lists.Enqueue(new ArmFault { CutsConnection = true });
        world.Fake.Lists.Enqueue(ArmFault.Throttled(3));

        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<SlotBackendException>(() => world.ListAsync());
        }

        Assert.Empty(await world.ListAsync());
    }

    [Theory]
    [InlineData("put")]
    [InlineData("poll")]
    [InlineData("get")]
    [InlineData("list")]
    [InlineData("delete")]
    public async Task An_answer_that_never_ends_is_given_up_after_some_megabytes(string which)
    {
        await using var world = await AciWorld.StartAsync(o => o with { MaxRetries = 0 });

        var failure = await FailsAsync(world, which, new ArmFault { NeverEnds = true });

        // A look at the group makes up for a poll that fails.
        Assert.Equal(which == "poll" ? null : FailureKind.Transient, failure?.Kind);
        Assert.Contains(which == "poll" ? "" : "the answer is longer than 16 MB", failure?.Message ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("put", "")]
    [InlineData("put", "<html>")]
    [InlineData("poll", "[1")]
    [InlineData("get", "<html>")]
    [InlineData("get", "[]")]
    [InlineData("list", "<html>")]
    [InlineData("list", "{\"value\": 3}")]
    [InlineData("list", "{\"value\": [{\"name\": null}]}")]
    public async Task An_answer_that_is_none_fails_the_call_in_words(string which, string body)
    {
        await using var world = await AciWorld.StartAsync(o => o with { MaxRetries = 0 });

        var failure = await FailsAsync(world, which, new ArmFault { Body = body });

        Assert.True(failure is null or { Kind: FailureKind.Transient }, failure?.Message);
    }

    [Fact]
    public async Task A_platform_that_asks_for_a_pause_of_years_is_asked_again_within_hours()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(ArmFault.Error(503) with { RetryAfter = int.MaxValue });

        await world.CreateAsync(1);

        Assert.InRange(world.Fake.Now, TimeSpan.FromMinutes(59), TimeSpan.FromHours(2));
    }

    [Fact]
    public async Task A_create_that_is_cancelled_in_the_middle_can_be_deleted_by_its_ticket()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Provisioning = TimeSpan.FromHours(1);
        using var cancellation = new CancellationTokenSource();

        var create = world.Backend.CreateAsync(new SlotTicket(1), AciWorld.Function, cancellation.Token);
        await Eventually.HoldsAsync(() => world.Fake.Groups.Count > 0);

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);

        Assert.True(await world.DestroyAsync(1));
        Assert.Empty(world.Fake.Groups);
    }

    /// <summary>What the backend says of one call that meets a fault; null where it makes up for it.</summary>
    private static async Task<SlotFailure?> FailsAsync(AciWorld world, string which, ArmFault fault)
    {
        var slot = which is "put" or "poll" ? default : await world.CreateAsync(1);
        (which switch
        {
            "put" => world.Fake.Puts,
            "poll" => world.Fake.Polls,
            "get" => world.Fake.Gets,
            "list" => world.Fake.Lists,
            _ => world.Fake.Deletes,
        }).Enqueue(fault);
        world.Fake.Provisioning = which == "poll" ? TimeSpan.FromSeconds(5) : TimeSpan.Zero;
        try
        {
            await (which switch
            {
                "put" or "poll" => world.CreateAsync(1),
                "get" => world.Backend.InitAsync(slot, new InstanceId("i"), AciWorld.Function, CancellationToken.None),
                "list" => world.ListAsync(),
                _ => (Task)world.DestroyAsync(1, slot),
            });
            return null;
        }
        catch (SlotBackendException e)
        {
            return e.Failure;
        }
    }
}
