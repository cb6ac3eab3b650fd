using FuncScaler.Nodes;

namespace FuncScaler.Tests.Nodes;

/// <summary>A fleet on a platform that the test is: what was asked for waits until the test answers it.</summary>
internal sealed class FleetDriver(NodeFleetOptions options)
{
    private readonly List<FleetEffect> _effects = [];

    public NodeFleet Fleet { get; } = new(options);

    public long NowUs { get; set; }

    /// <summary>What the platform was asked for and has not answered.</summary>
    public List<FleetEffect> Asked { get; } = [];

    /// <summary>What the core was told.</summary>
    public List<FleetEffect> Told { get; } = [];

    public static FunctionMeta Function(string name, int memoryMb) => new(new MetaKey(name), "", 60, memoryMb);

    public void Do(Action<NodeFleet, List<FleetEffect>> step)
    {
        step(Fleet, _effects);
        foreach (var effect in _effects)
        {
            (effect.Kind <= FleetEffectKind.RemoveContainer ? Asked : Told).Add(effect);
        }

        _effects.Clear();
        Fleet.CheckInvariants();
    }

    public void Place(long ticket, int memoryMb, string name = "f") => Do((fleet, effects) => fleet.Place(NowUs, new SlotTicket(ticket), Function(name, memoryMb), effects));

    public void Tick(long nowUs)
    {
        NowUs = nowUs;
        Do((fleet, effects) => fleet.Tick(NowUs, effects));
    }

    /// <summary>Answers one call: as it wishes, by success.</summary>
    public void Succeed(FleetEffect asked)
    {
        Asked.Remove(asked);
        Do((fleet, effects) =>
        {
            switch (asked.Kind)
            {
                case FleetEffectKind.ReserveNode:
                    fleet.NodeReserved(NowUs, asked.Node, 4096, effects);
                    break;
                case FleetEffectKind.ReleaseNode:
                    fleet.NodeReleased(NowUs, asked.Node, effects);
                    break;
                case FleetEffectKind.CreateContainer:
                    fleet.ContainerCreated(NowUs, asked.Slot, effects);
                    break;
                default:
                    fleet.ContainerRemoved(NowUs, asked.Slot, effects);
                    break;
            }
        });
    }

    /// <summary>Answers everything that was asked, and what follows from it.</summary>
    public void SucceedAll()
    {
        while (Asked.Count > 0)
        {
            Succeed(Asked[0]);
        }
    }
}
