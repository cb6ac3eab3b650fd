using FuncScaler.Statistics;

namespace FuncScaler.Learned;

/// <summary>Things that are kept for each group of ranks, written from the first group on for as long as there is room.</summary>
internal static class LearnedGroups
{
    public static void Write<T>(LearnedWriter writer, T?[] groups, int mostBytes, Action<T, LearnedWriter> write)
        where T : class
    {
        var end = writer.Length + mostBytes;
        for (var group = 0; group < groups.Length; group++)
        {
            if (groups[group] is not { } kept)
            {
                continue;
            }

            var one = new LearnedWriter(writer.NowUs);
            one.Whole(group + 1);
            write(kept, one);
            if (writer.Length + one.Length >= end)
            {
                break;
            }

            writer.Append(one);
        }

        writer.Whole(0);
    }

    public static void Read<T>(LearnedReader reader, ref T?[] groups, Action<T, LearnedReader> read)
        where T : class, new()
    {
        while (reader.Count(FunctionStatistics.GroupCount) is var group and > 0)
        {
            read(FunctionStatistics.OfGroup(ref groups, group - 1) ??= new T(), reader);
        }
    }
}
