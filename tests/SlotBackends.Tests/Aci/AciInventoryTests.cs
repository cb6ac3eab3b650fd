using System.Text.Json;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.SlotBackends.Http;

namespace FuncScaler.Tests.Aci;

/// <summary>Which groups are ours, what they are, and what is never touched.</summary>
public class AciInventoryTests
{
    [Fact]
    public async Task A_group_that_the_list_does_not_show_yet_is_not_given_up()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.ListLag = TimeSpan.FromMinutes(5);
        var slot = await world.CreateAsync(1);

        Assert.Equal(slot, Assert.Single(await world.ListAsync(AciWorld.Known(1, slot))).Id);
    }

    [Fact]
    public async Task Groups_that_the_list_still_shows_after_their_deletion_are_gone()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        var other = await world.CreateAsync(2);
        ((ManualTimeProvider)world.Time).Advance(TimeSpan.FromMinutes(10));
        world.Fake.ListLag = TimeSpan.FromMinutes(5);
        await world.DestroyAsync(1, slot);
        world.Fake.Lose(other.Value);

        Assert.Empty(await world.ListAsync());
    }

    [Fact]
    public async Task The_list_is_read_to_its_last_page_in_every_place()
    {
        await using var world = await AciWorld.StartAsync(o => o with { Places = [.. o.Places, new AciPlace("slots-2", "northeurope")], MaxGroupsPerRegion = 7 });
        world.Fake.PageSize = 3;
        for (var i = 1; i <= 10; i++)
        {
            await world.CreateAsync(i);
        }

        var listed = await world.ListAsync();

        Assert.Equal(Enumerable.Range(1, 10).Select(i => (long)i), listed.Select(l => l.Ticket.Value).Order());
        Assert.Equal(3, listed.Count(l => l.Id.Value.StartsWith("slots-2/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task After_a_restart_groups_are_found_by_their_tags_with_their_function_and_no_ticket_of_ours()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1, new FunctionMeta(new MetaKey("Größe/1"), "python:3", 90, 300));
        await using var successor = world.NewRun();

        var listed = Assert.Single((await successor.ListAsync([], CancellationToken.None))!);

        Assert.Equal(new ListedSlot(slot, default, new FunctionMeta(new MetaKey("Größe/1"), "python:3", 90, 300)), listed);
        Assert.NotEqual(world.Backend.Run, successor.Run);
    }

    [Fact]
    public async Task A_broken_group_of_a_former_run_is_listed_without_a_function_so_that_it_is_deleted()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Puts.Enqueue(new FakeArm.ArmFault { ProvisioningError = "InaccessibleImage" });
        await world.CreateFailsAsync(1);
        await using var successor = world.NewRun();

        Assert.Null(Assert.Single((await successor.ListAsync([], CancellationToken.None))!).Function);
    }

    /// <summary>A PUT of a killed process, or one that Azure's client has given up, may come after the deletion that was to undo it.</summary>
    [Fact]
    public async Task A_group_that_a_late_call_creates_after_its_deletion_is_listed_so_that_it_is_deleted()
    {
        await using var world = await AciWorld.StartAsync();
        var slot = await world.CreateAsync(1);
        Assert.True(await world.DestroyAsync(1, slot));
        ((ManualTimeProvider)world.Time).Advance(TimeSpan.FromSeconds(1));
        world.Fake.Plant("slots", slot.Value["slots/".Length..], (AciTags.Owner, "test"), (AciTags.Run, world.Backend.Run), (AciTags.Ticket, "1"));

        Assert.Equal(slot, Assert.Single(await world.ListAsync()).Id);
    }

    [Fact]
    public async Task What_does_not_carry_our_tag_is_neither_listed_nor_deleted()
    {
        await using var world = await AciWorld.StartAsync();
        world.Fake.Plant("slots", "database");
        world.Fake.Plant("slots", "test-12345678-1");
        world.Fake.Plant("slots", "other-12345678-1", (AciTags.Owner, "other"), (AciTags.Run, "12345678"), (AciTags.Ticket, "1"));

        Assert.Empty(await world.ListAsync());
        foreach (var name in (string[])["database", "test-12345678-1", "other-12345678-1"])
        {
            Assert.False(await world.DestroyAsync(1, new BackendSlotId("slots/" + name)));
            var e = await Assert.ThrowsAsync<SlotBackendException>(
                () => world.Backend.InitAsync(new BackendSlotId("slots/" + name), new InstanceId("i"), AciWorld.Function, CancellationToken.None));
            Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        }

        Assert.Equal(3, world.Fake.Groups.Count);
    }

    [Theory]
    [InlineData(1, 0.1, 0.1)]
    [InlineData(128, 0.2, 0.1)]
    [InlineData(512, 0.5, 0.3)]
    [InlineData(1024, 1, 0.5)]
    [InlineData(1025, 1.1, 0.6)]
    [InlineData(16384, 16, 4)]
    public void Memory_and_cores_are_rounded_up_to_what_the_platform_accepts(int memoryMb, double memoryGb, double cores)
    {
        var size = AciSize.Of(new AciOptions(), new FunctionMeta(new MetaKey("f"), "", 0, memoryMb));

        Assert.Equal((memoryGb, cores), (size.MemoryGb, size.Cores));
    }

    [Fact]
    public async Task A_function_that_no_group_can_hold_is_refused_for_good_and_costs_no_budget()
    {
        await using var world = await AciWorld.StartAsync(o => o with { CreateLimits = [new(1, TimeSpan.FromHours(1))] });

        var failure = await world.CreateFailsAsync(1, AciWorld.Function with { MemoryMb = 20_000 });

        Assert.Equal(FailureKind.Permanent, failure.Kind);
        Assert.Contains("20000 MB", failure.Message, StringComparison.Ordinal);
        await world.CreateAsync(2);
    }

    [Fact]
    public async Task Any_memory_size_and_function_key_makes_a_group_that_the_platform_accepts()
    {
        await using var world = await AciWorld.StartAsync();
        var random = new Random(1);
        for (var i = 1; i <= 60; i++)
        {
            var key = new string([.. Enumerable.Range(0, random.Next(1, 400)).Select(_ => (char)random.Next(32, 0x2000))]);
            await world.CreateAsync(i, new FunctionMeta(new MetaKey(key), "any", random.Next(100), random.Next(1, 16_384)));
        }

        Assert.Equal(60, world.Fake.Groups.Count);
        Assert.Equal(60, (await world.ListAsync()).Count);
    }

    [Fact]
    public async Task Everything_that_is_configured_is_in_the_group()
    {
        await using var world = await AciWorld.StartAsync(o => o with
        {
            Images = new Dictionary<string, string> { ["go"] = "example.azurecr.io/go:1", ["*"] = "example/other" },
            SubnetId = "/subscriptions/x/subnet",
            RegistryServer = "example.azurecr.io",
            RegistryIdentityId = "/subscriptions/x/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull",
            IdentityIds = ["/subscriptions/x/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/run"],
            LogWorkspaceId = "workspace",
            LogWorkspaceKey = "key",
            Tags = new Dictionary<string, string> { ["team"] = "a" },
            Environment = new Dictionary<string, string> { ["MODE"] = "x" },
        });

        await world.CreateAsync(1);

        var group = Assert.Single(world.Fake.Groups);
        var properties = group.Body["properties"]!;
        var container = properties["containers"]![0]!["properties"]!;
        Assert.Equal("example.azurecr.io/go:1", container["image"]!.GetValue<string>());
        Assert.Contains(container["environmentVariables"]!.AsArray(), v => v!["name"]!.GetValue<string>() == "MODE" && v["value"]!.GetValue<string>() == "x");
        Assert.Equal(("Private", "Regular", "Never"), (properties["ipAddress"]!["type"]!.GetValue<string>(), properties["priority"]!.GetValue<string>(), properties["restartPolicy"]!.GetValue<string>()));
        Assert.Equal("/subscriptions/x/subnet", properties["subnetIds"]![0]!["id"]!.GetValue<string>());
        Assert.EndsWith("/pull", properties["imageRegistryCredentials"]![0]!["identity"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("workspace", properties["diagnostics"]!["logAnalytics"]!["workspaceId"]!.GetValue<string>());
        Assert.Equal(2, group.Body["identity"]!["userAssignedIdentities"]!.AsObject().Count);
        Assert.Equal(("a", "test", "f"), (group.Tags["team"], group.Tags[AciTags.Owner], group.Tags[AciTags.Function]));
    }

    [Fact]
    public async Task Spot_groups_have_no_address_as_azure_demands()
    {
        await using var world = await AciWorld.StartAsync(o => o with { Spot = true, Start = new InstanceStart() });

        var slot = await world.CreateAsync(1);
        var address = await world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None);

        Assert.Null(address);
        Assert.Equal("Spot", Assert.Single(world.Fake.Groups).Body["properties"]!["priority"]!.GetValue<string>());
    }

    [Fact]
    public async Task With_a_standby_pool_a_group_is_claimed_from_it()
    {
        await using var world = await AciWorld.StartAsync(o => o with { StandbyPoolId = "/subscriptions/x/pool", ContainerGroupProfileId = "/subscriptions/x/profile", ContainerGroupProfileRevision = 3 });

        await world.CreateAsync(1);

        var properties = Assert.Single(world.Fake.Groups).Body["properties"]!;
        Assert.Equal("/subscriptions/x/pool", properties["standbyPoolProfile"]!["id"]!.GetValue<string>());
        Assert.Equal(3, properties["containerGroupProfile"]!["revision"]!.GetValue<int>());
        Assert.Equal("f", properties["containers"]![0]!["properties"]!["configMap"]!["keyValuePairs"]!["FUNCSCALER_FUNCTION"]!.GetValue<string>());
    }

    [Fact]
    public async Task Init_tells_the_container_what_it_is_and_answers_with_its_address()
    {
        await using var world = await AciWorld.StartAsync(
            o => o with { Functions = new Dictionary<string, FunctionCode> { ["f"] = new() { Code = "def main(x): return x", Main = "start" } } },
            TimeProvider.System);
        var slot = await world.CreateAsync(1);

        var address = await world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None);

        var group = Assert.Single(world.Fake.Groups);
        Assert.Equal($"http://{group.Address}:{world.Fake.ContainerPort}/", address!.AbsoluteUri);
        using var init = JsonDocument.Parse(Assert.Single(group.Inits));
        var value = init.RootElement.GetProperty("value");
        Assert.Equal(("f", "start", "def main(x): return x", false), (value.GetProperty("name").GetString(), value.GetProperty("main").GetString(), value.GetProperty("code").GetString(), value.GetProperty("binary").GetBoolean()));
        Assert.Equal("i-1", value.GetProperty("env").GetProperty("FUNCSCALER_INSTANCE").GetString());
    }

    [Fact]
    public async Task A_successor_initialises_what_its_predecessor_has_initialised()
    {
        await using var world = await AciWorld.StartAsync(time: TimeProvider.System);
        var slot = await world.CreateAsync(1);
        await world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None);
        await using var successor = world.NewRun();

        Assert.NotNull(await successor.InitAsync(slot, new InstanceId("j-1"), AciWorld.Function, CancellationToken.None));
    }

    [Fact]
    public async Task A_group_that_goes_away_while_it_starts_ends_the_wait()
    {
        await using var world = await AciWorld.StartAsync(o => o with { PollDelay = TimeSpan.FromMilliseconds(5) }, TimeProvider.System);
        world.Fake.Provisioning = TimeSpan.FromMinutes(10);
        using var givenUp = new CancellationTokenSource();
        var create = world.Backend.CreateAsync(new SlotTicket(1), AciWorld.Function, givenUp.Token);
        await Eventually.HoldsAsync(() => world.Fake.Groups.Count > 0);

        var slot = new BackendSlotId(world.Fake.Groups[0].Id);
        var init = world.Backend.InitAsync(slot, new InstanceId("i-1"), AciWorld.Function, CancellationToken.None);
        world.Fake.Lose(slot.Value);

        await Assert.ThrowsAsync<SlotBackendException>(() => init);
        await givenUp.CancelAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => create);
    }
}
