namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// The names of container groups: <c>owner-run-ticket</c>. Tickets begin at 1 in every run of the scaler, so the run stands in between;
/// a name is never used twice, and creating by it may be repeated.
/// </summary>
/// <param name="Owner">Whose groups they are; at most 30 characters.</param>
/// <param name="Run">This run of the scaler: eight characters no other run has.</param>
internal sealed record AciNames(string Owner, string Run)
{
    public static string NewRun() => Guid.NewGuid().ToString("N")[..8];

    /// <summary>At most 59 of the 63 characters that a group's name may have.</summary>
    public string NameOf(SlotTicket ticket) => $"{Owner}-{Run}-{ticket}";

    public static BackendSlotId IdOf(AciPlace place, string name) => new($"{place.ResourceGroup}/{name}");

    /// <summary>Takes an id apart; null for one that is not of these places.</summary>
    public static (AciPlace Place, string Name)? Parse(IReadOnlyList<AciPlace> places, BackendSlotId slot)
    {
        var slash = slot.Value?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (slash <= 0 || slash == slot.Value!.Length - 1)
        {
            return null;
        }

        var place = places.FirstOrDefault(p => p.ResourceGroup == slot.Value[..slash]);
        return place is null ? null : (place, slot.Value[(slash + 1)..]);
    }

    /// <summary>Whether this run has given the name.</summary>
    public bool IsOfThisRun(string name) => name.StartsWith($"{Owner}-{Run}-", StringComparison.Ordinal);
}
