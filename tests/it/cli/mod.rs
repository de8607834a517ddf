//! What a person sees and gets, command by command, on real repositories.

mod asking;
mod aws;
mod basics;
mod checkout;
mod consent;
mod contained;
mod doctor;
mod drift;
mod elsewhere;
mod exit_codes;
mod failing;
mod going_back;
mod hints;
mod hostile;
mod interrupt;
mod katkitconfig;
mod leases;
mod moved;
mod no_room;
mod no_writing;
mod order;
mod phases;
#[cfg(feature = "aws")]
mod refusing;
mod requests;
mod rolled_back;
mod saved;
mod secrets;
mod selection;
mod several;
mod state_file;
mod taken_away;
mod templates;
mod together;
mod waiting;
mod wanted;
