# SPDX-License-Identifier: GPL-3.0-or-later
package Koha::Plugin::Tillbridge::Register::Reference;

# A booking's reference stands as a word of its own in its credits' notes; of several credits the nth has it with ":n"
# behind.

use Mojo::Base -strict, -signatures;
use Exporter qw(import);

our @EXPORT_OK = qw(base_of is_reference is_of word_in like_of note_with);

sub is_reference ($text) { return $text =~ /\A[A-Za-z0-9:._-]{1,80}\z/ }

sub is_of ($word, $reference) { return $word =~ /\A\Q$reference\E(?::[1-9][0-9]{0,8})?\z/ }

# The reference that this one is the nth of, or itself.
sub base_of ($reference) { return $reference =~ s/:[1-9][0-9]{0,8}\z//r }

# The last word of a note that is the reference, or it with ":n" behind it.
sub word_in ($note, $reference) {
    my @words = grep { is_of($_, $reference) } split ' ', $note // '';
    return $words[-1];
}

# Escaped for LIKE ... ESCAPE '|', a sign that no reference has. It finds too much; is_of and word_in decide.
sub like_of ($reference) { return $reference =~ s/([%_])/|$1/gr }

# The note of a credit: the caller's, with the credit's own word where the reference stood, or at the end.
sub note_with ($note, $reference, $word) {
    my $changed = ($note // '') =~ s/(?<!\S)\Q$reference\E(?!\S)/$word/gr;
    return $changed if defined word_in($changed, $word);
    return length $changed ? "$changed $word" : $word;
}

1;
